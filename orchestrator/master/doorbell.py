"""Owns telling the masters of other slots that something waits there: best effort, they look themselves."""

from collections.abc import Callable, Collection, Iterable
from typing import Protocol

import structlog

from orchestrator.errors import BrokerUnavailable, StoreUnavailable

log = structlog.get_logger(__name__)


class Bell(Protocol):
    """The streams, for wake entries."""

    def wake(self, slot: int) -> object:
        """Say that a command was left for a run of this slot."""
        ...


class Doorbell:
    """Runs in the loop's thread.

    Args:
        bell: Rings at another master's.
        slots: Returns the number of slots.
        own: This master's slots.
        look_soon: Has this master look at the command table.
        addressed: Returns the runs of some workflows that find a command.
    """

    def __init__(
        self,
        bell: Bell,
        slots: Callable[[], int],
        own: Collection[int],
        look_soon: Callable[[], None],
        addressed: Callable[[Collection[str]], Collection[int]],
    ) -> None:
        self._bell = bell
        self._slots = slots
        self._own = own
        self._look_soon = look_soon
        self._addressed = addressed

    def ring(self, ids: Iterable[int], workflows: Collection[str] = ()) -> None:
        """Say that there are commands for these runs, and for whoever the turns of these workflows concern."""
        wanted = set(ids)
        if not (wanted or workflows):
            return
        try:
            slots = self._slots()
            if workflows:
                self._look_soon()
                wanted.update(self._addressed(workflows) if len(self._own) < slots else ())
            for slot in sorted({number % slots for number in wanted}):
                if slot in self._own:
                    self._look_soon()
                else:
                    self._bell.wake(slot)
        except (BrokerUnavailable, StoreUnavailable) as error:
            log.debug("wake.failed", error=str(error))
