"""Owns how a duty goes about its work: look into the rows, then settle each case by itself, under the fence."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

import structlog

from orchestrator.core.changes import Leases
from orchestrator.errors import BrokerUnavailable, LeaseLost, RetryEvent

log = structlog.get_logger(__name__)

REST_S = 60.0
"""How long a case is left alone that failed because of a bug; the others go on."""

_NEVER = float("-inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """The log lines of one duty.

    Attributes:
        subject: The field that names a case.
        not_ours: Another master owns the slots, and sees to it.
        failed: A bug; the case rests.
    """

    subject: str
    not_ours: str
    failed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of a case.

    Attributes:
        number: How much was done, for whoever counts.
        woken: Slots whose masters find a command.
    """

    number: int
    woken: Iterable[int] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing that a look has found.

    Attributes:
        name: Tells it from others, at this look and at the next.
        slot: Whose lease is the fence; `None`: whatever this master owns.
        settle: Does what is due in one transaction, fenced by the leases that it is given.
    """

    name: int | str
    slot: int | None = None
    settle: Callable[[Leases], Done]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a look has found.

    Attributes:
        cases: In the order in which they are settled.
        busy_s: Seconds until the next look if any of them was settled.
        idle_s: The same if none was; 0 is with the next step.
    """

    cases: Collection[Case]
    busy_s: float = 0.0
    idle_s: float = 0.0


class Duty:
    """What a master owes its slots beside the loop. All is derived from rows: what was not done is found again.

    Args:
        lines: What it writes to the log.
        look: Returns what is to be settled, given the slots that this master owns.
        leases: These slots.
        wake: Tells a slot's master that a command waits.
        monotonic: Seconds that never go back.
    """

    def __init__(
        self,
        lines: Lines,
        look: Callable[[Collection[int]], Found],
        leases: Leases,
        wake: Callable[[int], None],
        monotonic: Callable[[], float],
    ) -> None:
        self._lines = lines
        self._look = look
        self._leases = leases
        self._wake = wake
        self._monotonic = monotonic
        self._look_at = _NEVER
        self._resting: dict[int | str, float] = {}

    def step(self) -> int:
        """Look, if it is time to; settle what does not rest; return how much was done.

        Raises:
            StoreUnavailable: The database is away; nothing is lost.
        """
        if self._monotonic() < self._look_at:
            return 0
        found = self._look(self._leases.epochs.keys())
        now = self._monotonic()
        due = [case for case in found.cases if now >= self._resting.get(case.name, _NEVER)]
        number = sum(self._settle(case) for case in due)
        self._look_at = now + (found.busy_s if due else found.idle_s)
        return number

    def _settle(self, case: Case) -> int:
        """Settle one case; a bug in it must not stop the others."""
        named: dict[str, Any] = {self._lines.subject: case.name}
        try:
            done = case.settle(self._fence(case.slot))
        except RetryEvent:
            raise
        except LeaseLost:
            log.warning(self._lines.not_ours, **named, slot=case.slot)
            return 0
        except Exception:
            log.exception(self._lines.failed, **named)
            self._resting[case.name] = self._monotonic() + REST_S
            return 0
        self._resting.pop(case.name, None)
        for slot in done.woken:
            self._wake_quietly(slot)
        return done.number

    def _fence(self, slot: int | None) -> Leases:
        if slot is None:
            return self._leases
        return Leases(owner=self._leases.owner, epochs={slot: self._leases.epochs[slot]})

    def _wake_quietly(self, slot: int) -> None:
        """Tell a slot's master that a command waits; if Redis is away it finds out by itself, a little later."""
        try:
            self._wake(slot)
        except BrokerUnavailable as error:
            log.debug("wake.failed", slot=slot, error=str(error))
