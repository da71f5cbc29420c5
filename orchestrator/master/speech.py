"""Owns what tells alerts during one reign, and how it ends."""

from contextlib import suppress
from dataclasses import dataclass

from orchestrator.errors import RetryEvent
from orchestrator.master.announcer import Announcer
from orchestrator.master.deliveries import Deliveries

LAST_WORDS_S = 3.0
"""How long a master that is told to stop goes on delivering: alerts of the run that just ended, mostly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """The log, and the targets."""

    announcer: Announcer
    deliveries: Deliveries

    def last_words(self) -> None:
        """Tell and deliver what is due, for a few seconds; what does not arrive is left to the next master."""
        with suppress(RetryEvent):
            while self.announcer.step():
                pass
            self.deliveries.finish(LAST_WORDS_S)
