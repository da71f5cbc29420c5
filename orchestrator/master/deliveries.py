"""Owns the delivery of alerts to targets: each at least once, a dead one holds up nobody else."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Protocol

import structlog

from orchestrator.alerting.book import shown
from orchestrator.alerting.delivery import Delivery
from orchestrator.core.retry import backoff_s
from orchestrator.crash import crash_point
from orchestrator.errors import OrchestratorError, RetryEvent
from orchestrator.store.outbox import OutboxEntry

log = structlog.get_logger("orchestrator.alerts")

AT_ONCE = 100
MOST_TARGETS = 8
"""So many targets are served at the same time."""

FIRST_BACK_OFF_S = 2.0
LONGEST_BACK_OFF_S = 600.0
LONGEST_REST_S = 60.0
"""A target that failed is left alone this long at most, whatever else waits for it."""

LOUD_AFTER = 5
"""So many tries of one delivery fail before it is an error that somebody must look at."""


class DeliverySource(Protocol):
    """The deliveries in the outbox."""

    def due_deliveries(
        self, slots: Collection[int], limit: int, without: Collection[str]
    ) -> list[OutboxEntry]:
        """Return the oldest deliveries of these slots that are due, but those to some targets."""
        ...

    def delivered(self, ids: Collection[int]) -> None:
        """Note that these arrived."""
        ...

    def postpone(self, entry_id: int, seconds: float, error: str = "") -> None:
        """Have this one tried again later."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """How a try ended; `error` is `None` when it arrived."""

    row: OutboxEntry
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """A target that failed so many times in a row is left alone until then, on the monotonic clock."""

    failures: int
    until: float


class Deliveries:
    """Hands alerts to their targets: one thread for each target that has some, a few at the same time.

    A try is noted by the thread that made it; if the database is away then, the next step notes it, and until then
    nothing goes to that target. So only a crash between sending and noting sends an alert twice.

    Args:
        outbox: The deliveries.
        slots: The slots this master owns.
        carry: Delivers within a limited time, or raises; called from several threads.
        monotonic: Seconds that never go back.
        chance: Random numbers in [0, 1).
    """

    def __init__(
        self,
        outbox: DeliverySource,
        slots: Collection[int],
        carry: Callable[[Delivery], None],
        monotonic: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self._outbox = outbox
        self._slots = tuple(slots)
        self._carry = carry
        self._monotonic = monotonic
        self._chance = chance
        self._changed = Condition()
        self._busy: set[str] = set()
        self._resting: dict[str, Rest] = {}
        self._owed: list[Tried] = []
        self._closed = False

    def step(self) -> int:
        """Begin what is due and return to how many targets; never waits for one.

        Raises:
            StoreUnavailable: The database is away; what was delivered and not noted is noted later.
        """
        self._settle()
        if self._closed or len(self._busy) >= MOST_TARGETS:
            return 0
        begun = 0
        rows = self._outbox.due_deliveries(self._slots, AT_ONCE, self._left_alone())
        by_target: dict[str, list[OutboxEntry]] = {}
        for row in rows:
            by_target.setdefault(str(row.target), []).append(row)
        for target, waiting in by_target.items():
            begun += self._begin(target, waiting)
        return begun

    def finish(self, limit_s: float) -> None:
        """Deliver what is due and wait for it, at most so long: what fails now waits for the next master."""
        end = self._monotonic() + limit_s
        while self._monotonic() < end:
            begun = self.step()
            with self._changed:
                if not begun and not self._busy:
                    return
                self._changed.wait_for(lambda: not self._busy, timeout=max(end - self._monotonic(), 0.0))

    def close(self) -> None:
        """Send nothing more: what was not begun is the next master's."""
        self._closed = True

    def _left_alone(self) -> set[str]:
        now = self._monotonic()
        with self._changed:
            return self._busy | {target for target, rest in self._resting.items() if rest.until > now}

    def _begin(self, target: str, waiting: Sequence[OutboxEntry]) -> bool:
        with self._changed:
            if target in self._busy or len(self._busy) >= MOST_TARGETS:
                return False
            self._busy.add(target)
        Thread(target=self._serve, args=(target, waiting), name=f"alert {shown(target)}", daemon=True).start()
        return True

    def _serve(self, target: str, waiting: Sequence[OutboxEntry]) -> None:
        """Deliver one after the other, up to the first that fails."""
        try:
            for row in waiting:
                tried = self._try(row)
                self._note_soon(tried)
                if tried.error is not None or self._closed or self._owes(target):
                    break
        finally:
            self._leave(target)

    def _try(self, row: OutboxEntry) -> Tried:
        delivery = Delivery(
            key=row.body["message"]["key"],
            at=row.created_at,
            target=row.target,
            message=row.body["message"],
        )
        try:
            self._carry(delivery)
        except OrchestratorError as error:
            return Tried(row=row, error=str(error))
        except Exception as error:  # a bug in a sender must neither end the others nor be tried in a hurry
            log.exception("alerts.broken", key=delivery.key, target=shown(str(row.target)))
            return Tried(row=row, error=type(error).__name__)
        crash_point("alerts.after_sent")
        return Tried(row=row, error=None)

    def _note_soon(self, tried: Tried) -> None:
        self._remember(tried)
        try:
            self._note(tried)
        except RetryEvent:
            with self._changed:
                self._owed.append(tried)
        except Exception:
            log.exception("alerts.broken", key=tried.row.key)

    def _note(self, tried: Tried) -> None:
        if tried.error is None:
            self._outbox.delivered([tried.row.id])
        else:
            wait_s = backoff_s(
                tried.row.tries, self._chance(), first=FIRST_BACK_OFF_S, cap=LONGEST_BACK_OFF_S
            )
            self._outbox.postpone(tried.row.id, wait_s, tried.error)

    def _remember(self, tried: Tried) -> None:
        """Have the target left alone for a while if it failed, and say what happened."""
        key, target = tried.row.body["message"]["key"], str(tried.row.target)
        if tried.error is None:
            with self._changed:
                self._resting.pop(target, None)
            log.info("alerts.delivered", key=key, target=shown(target))
            return
        with self._changed:
            last = self._resting.get(target)
            failures = last.failures if last else 0
            rest_s = backoff_s(failures, self._chance(), first=FIRST_BACK_OFF_S / 2, cap=LONGEST_REST_S)
            self._resting[target] = Rest(failures=failures + 1, until=self._monotonic() + rest_s)
        tries = tried.row.tries + 1
        say = log.error if tries == LOUD_AFTER else log.warning if tries == 1 else log.debug
        say("alerts.undelivered", key=key, target=shown(target), tries=tries, error=tried.error)

    def _settle(self) -> None:
        """Note what the database did not take when it happened; then its target is served again."""
        with self._changed:
            owed = list(self._owed)
        for tried in owed:
            self._note(tried)
            with self._changed:
                self._owed.remove(tried)
                self._busy.discard(str(tried.row.target))

    def _owes(self, target: str) -> bool:
        with self._changed:
            return any(str(tried.row.target) == target for tried in self._owed)

    def _leave(self, target: str) -> None:
        """End the service of a target; one of which something is to be noted stays busy until then."""
        with self._changed:
            if not any(str(tried.row.target) == target for tried in self._owed):
                self._busy.discard(target)
            self._changed.notify_all()
