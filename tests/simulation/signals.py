"""Owns the people who are asked for approvals: they look now and then, and signal early, late, twice, or never."""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from orchestrator.core.command import CommandKind
from orchestrator.store.commands import Commands
from tests.simulation.database import Database

LOOK_EVERY_S = 1.5
"""How often somebody looks what waits."""

WAITING = (
    "SELECT workflow_instance_id, task, timeout_at FROM task_instance "
    "WHERE type = 'approval' AND current AND state = 'RUNNING' ORDER BY workflow_instance_id, task"
)
ANY = "SELECT workflow_instance_id, task FROM task_instance WHERE type = 'approval' ORDER BY 1, 2"

SIGNALLED = 0.5
SIGNALLED_WITH_TIME = 0.15
"""How likely an approval gets its signal at one look; rather not where a time limit is to be tried."""

TWICE, OTHERWISE, ANYTHING = 0.3, 0.3, 0.05
"""How likely a signal is sent again, another one follows, and one goes to whatever approval there is."""


class Approvers:
    """People who signal.

    Args:
        database: Where they look.
        commands: Where they send signals.
        dice: Decides.
        woken: Called with the slot of a run that has a signal.

    Attributes:
        sent: How often each value was sent, by run and task.
    """

    def __init__(
        self, database: Database, commands: Commands, dice: Random, woken: Callable[[int], Any]
    ) -> None:
        self.sent: dict[tuple[int, str], Counter[str]] = {}
        self._database = database
        self._commands = commands
        self._dice = dice
        self._woken = woken
        self._number = 0

    def look(self) -> None:
        """Signal some of what waits, and now and then what does not."""
        for run, task, timeout_at in self._database.rows(WAITING):
            if self._dice.random() < (SIGNALLED if timeout_at is None else SIGNALLED_WITH_TIME):
                self._decide(run, task)
        if self._dice.random() < ANYTHING and (some := self._database.rows(ANY)):
            self._decide(*self._dice.choice(some))

    def _decide(self, run: int, task: str) -> None:
        self._number += 1
        self._send(run, task, f"said {self._number}")
        if self._dice.random() < TWICE:
            self._send(run, task, f"said {self._number}")
        if self._dice.random() < OTHERWISE:
            self._send(run, task, f"said otherwise {self._number}")

    def _send(self, run: int, task: str, value: str) -> None:
        body = {"task": task, "outputs": {"value": value}}
        self.sent.setdefault((run, task), Counter())[value] += 1
        self._woken(self._commands.send(run, CommandKind.SIGNAL, body).slot)
