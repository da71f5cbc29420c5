"""Owns what a turn begins with: reports first, then commands, then timers."""

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from orchestrator.master.desk import Desk
from orchestrator.master.due import AT_ONCE, LOOKS, Due
from orchestrator.master.items import CommandItem, Item, NoticeItem, RefusedItem
from orchestrator.master.overload import Overload
from orchestrator.master.silence import Silence
from orchestrator.store.commands import Pending

log = structlog.get_logger(__name__)

MOST_ITEMS = 1000
MOST_COMMANDS = 500
UNSERVED_FOR = timedelta(hours=12)
"""How long a message may wait for the first worker of its group; in the broker it lives for twice that."""

LOOK_AGAIN = timedelta(seconds=0.25)
"""When an accusation that had to wait is looked at again."""


class CommandSource(Protocol):
    """The command table."""

    def look(
        self, slots: Collection[int], limit: int, *, starts: bool = True, skip: Collection[int] = ()
    ) -> Pending:
        """Return the oldest rows of these slots; without STARTs, and without some runs' ones, if asked."""
        ...


class Intake:
    """Collects the items of a turn.

    Args:
        desk: Inbox, timers, messenger, clock.
        commands: The command table.
        silence: Whether accusing timers may fire.
        overload: Whether STARTs are taken.
        sweep_s: How often the command table is looked at unasked.
        is_served: Whether a group has a live worker.
    """

    def __init__(
        self,
        desk: Desk,
        commands: CommandSource,
        silence: Silence,
        overload: Overload,
        sweep_s: float,
        is_served: Callable[[str], bool],
    ) -> None:
        self._desk = desk
        self._commands = commands
        self._silence = silence
        self._overload = overload
        self._sweep_s = sweep_s
        self._is_served = is_served
        self._look_at = float("-inf")

    def look_soon(self) -> None:
        """Look at the command table in the next turn: somebody said that something is there."""
        self._look_at = float("-inf")

    def note_ends(self) -> None:
        """Note up to when everything that stood in the streams has been taken."""
        for slots, began in self._desk.inbox.take_ends():
            self._silence.read_to_end(slots, began)

    def wait_s(self, monotonic: Callable[[], float], most_s: float) -> float:
        """Return how long the loop may wait for something to happen."""
        wait = min(most_s, self._look_at - monotonic())
        due = self._desk.timers.next_at()
        if due is not None:
            wait = min(wait, (due - self._desk.clock.now()).total_seconds())
        return max(wait, 0.0)

    def take(self, slots: Collection[int], parked: Collection[int], now: float) -> list[Item]:
        """Return what waits: at most about 1,000 reports, then commands, then what is due.

        Raises:
            StoreUnavailable: The command table cannot be read; reports and timers stay where they are.
        """
        commands = self._take_commands(slots, parked, now)
        items: list[Item] = self._desk.inbox.take_reports(MOST_ITEMS)
        self.note_ends()
        items.extend(commands)
        items.extend(self._desk.inbox.take_notices())
        items.extend(self._take_due())
        return items

    def _take_commands(self, slots: Collection[int], parked: Collection[int], now: float) -> list[Item]:
        if now < self._look_at:
            return []
        starts = self._overload.look() is None
        rows = self._commands.look(slots, MOST_COMMANDS, starts=starts, skip=parked)
        if not starts:
            self._overload.refused += 1
        self._look_at = float("-inf") if len(rows) == MOST_COMMANDS else now + self._sweep_s
        for row in rows.unreadable:
            log.error("command.unreadable", command_id=row.id, slot=row.slot, reason=row.reason)
        refused = (RefusedItem(row.id, row.reason) for row in rows.unreadable)
        return [*refused, *(CommandItem(row) for row in rows.commands)]

    def _take_due(self) -> list[NoticeItem]:
        now = self._desk.clock.now()
        notices = []
        for at, due in self._desk.timers.take_due(now, MOST_ITEMS):
            later = self._held_back(due, due.since or at, now) if due.accuses else None
            if later is not None:
                self._desk.timers.set(due.timer, later, replace(due, since=due.since or at))
            elif due.notice is not None:
                notices.append(NoticeItem(due.notice))
            elif due.mark == LOOKS:
                self._desk.docket.push(due.key, LOOKS, AT_ONCE)
            elif due.recall is not None:
                self._desk.messenger.recall(due.recall)
        return notices

    def _held_back(self, due: Due, at: datetime, now: datetime) -> datetime | None:
        """Return when an accusation that was due `at` is to be looked at again, or `None`: it may be made.

        Only time counts in which everybody could be heard (PROTOCOL section 6).
        """
        counts_from = self._monotonic_at(due.counts_from or at, now)
        earned = at + timedelta(seconds=self._silence.away_s(counts_from))
        if earned > now:
            return earned
        heard = self._silence.may_accuse(due.slot, self._monotonic_at(earned, now))
        return None if heard and self._can_be_taken(due, now - at) else now + LOOK_AGAIN

    def _can_be_taken(self, due: Due, overdue: timedelta) -> bool:
        """Whether repeating helps: without a worker each repeat would only leave a dead message behind."""
        return due.recall is None or self._is_served(due.group) or overdue > UNSERVED_FOR

    def _monotonic_at(self, at: datetime, now: datetime) -> float:
        return self._desk.clock.monotonic() - (now - at).total_seconds()
