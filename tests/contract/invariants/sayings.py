"""Owns what can be said about an attempt: the five events, in the same words for every test."""

from collections.abc import Callable

from orchestrator.broker.stream import Entry
from orchestrator.core.event import RejectReason, TaskDelayed, TaskResult, TaskRunning, WorkerReject
from orchestrator.core.instance import TaskInstance
from orchestrator.core.status import TaskState
from tests.world import World

Saying = Callable[[World, TaskInstance], Entry | None]


def result(state: TaskState) -> Saying:
    """Return the saying of a RESULT."""
    return lambda world, row: world.say(row, TaskResult, state=state, outputs={"late": True}, error="Late")


SAYINGS: dict[str, Saying] = {
    "DISPATCH": lambda world, row: world.say_dispatched(row),
    "DELAY": lambda world, row: world.say(row, TaskDelayed, seconds=1.0),
    "RUNNING": lambda world, row: world.say(row, TaskRunning, host="late", pid=99),
    "RESULT success": result(TaskState.SUCCESS),
    "RESULT failure": result(TaskState.FAILURE),
    "RESULT killed": result(TaskState.KILLED),
    "REJECT": lambda world, row: world.say(row, WorkerReject, reason=RejectReason.OVERLOAD),
}
