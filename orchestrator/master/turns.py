"""Owns what a master does about turns: who is woken is told whether it still is its turn, and no chain stops."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

import structlog

from orchestrator.core.changes import Leases
from orchestrator.core.command import Command, CommandKind
from orchestrator.core.serial import HOLDS
from orchestrator.master.duty import Case, Done, Duty, Found, Lines
from orchestrator.master.items import CommandItem, Item
from orchestrator.store.turns import Settled, Stopped

log = structlog.get_logger(__name__)

LINES = Lines(subject="workflow", not_ours="serial.not_ours", failed="serial.failed")


class TurnTable(Protocol):
    """The stored turns."""

    def holding(self, ids: Collection[int]) -> Collection[int]:
        """Return which of these runs have been given the turn of their workflow."""
        ...

    def addressed(self, workflows: Collection[str]) -> Collection[int]:
        """Return the runs of these workflows that find a command."""
        ...

    def look(self, slots: Collection[int]) -> Sequence[Stopped]:
        """Return the chains of these slots that do not go on by themselves."""
        ...

    def mend(self, stopped: Stopped, leases: Leases) -> Settled:
        """Settle the turn of one of them in a fenced transaction."""
        ...


class Wakes:
    """Runs in the loop's thread.

    Args:
        table: The stored turns.
    """

    def __init__(self, table: TurnTable) -> None:
        self._table = table

    def filled(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return the items of a turn, each WAKE with whether it is the run's turn as the database has it now.

        Raises:
            StoreUnavailable: The database is away.
        """
        woken = {command.workflow_instance_id for one in items if (command := _wake_of(one)) is not None}
        if not woken:
            return items
        holding = self._table.holding(woken)
        return [_with_word(item, holding) for item in items]


def _wake_of(item: Item) -> Command | None:
    if isinstance(item, CommandItem) and item.command.kind is CommandKind.WAKE:
        return item.command
    return None


def _with_word(item: Item, holding: Collection[int]) -> Item:
    command = _wake_of(item)
    if command is None:
        return item
    return CommandItem(
        replace(command, body={**command.body, HOLDS: command.workflow_instance_id in holding})
    )


class Turnkeeper:
    """Puts chains in motion that have stopped: that nothing was lost is proved every few seconds.

    Args:
        table: The stored turns.
        leases: The slots this master owns.
        wake: Tells a slot's master that a command waits.
        monotonic: Seconds that never go back.

    Attributes:
        repairs: How many chains this master had to put in motion.
    """

    def __init__(
        self,
        table: TurnTable,
        leases: Leases,
        wake: Callable[[int], None],
        monotonic: Callable[[], float],
    ) -> None:
        self._table = table
        self._duty = Duty(LINES, self._look, leases, wake, monotonic)
        self.repairs = 0

    def step(self) -> int:
        """Put in motion what has stopped; return how many chains went on.

        Raises:
            StoreUnavailable: The database is away; nothing is lost.
        """
        return self._duty.step()

    def _look(self, slots: Collection[int]) -> Found:
        return Found(
            cases=[
                Case(name=stopped.workflow, slot=stopped.slot, settle=partial(self._mend, stopped))
                for stopped in self._table.look(slots)
            ]
        )

    def _mend(self, stopped: Stopped, leases: Leases) -> Done:
        settled = self._table.mend(stopped, leases)
        if settled.repaired:
            self.repairs += 1
            log.error("serial.repaired", workflow=stopped.workflow)
        return Done(number=int(bool(settled.slots)), woken=settled.slots)
