"""Owns the view of a run in the middle of a decision: what memory has, and on top of it what is changed so far."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from orchestrator.core.dag import Graph
from orchestrator.core.definition import TaskDefinition
from orchestrator.core.elements import group_of
from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.node import Node, Outcome
from orchestrator.core.run import WorkflowInstance, is_held, is_stopping
from orchestrator.core.serial import needs_turn
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.core.transition import Context

_FAILED = (TaskState.FAILURE, TaskState.KILLED)


class View:
    """What a draft shows. It reads the instance, and what was changed so far; it mutates neither.

    Args:
        instance: The run as memory has it.
        context: Time, chance and the live workers.
    """

    __slots__ = ("_current", "_instance", "_nodes", "_spent", "context", "head")

    def __init__(self, instance: WorkflowInstance, context: Context) -> None:
        self._instance = instance
        self.context = context
        self.head: Head = instance.head
        self._current: dict[str, TaskInstance | None] = {}
        self._nodes: dict[str, Node] = {}
        self._spent: dict[str, int | None] = {}

    @property
    def graph(self) -> Graph:
        """The compiled graph of the run's definition."""
        return self._instance.graph

    def attempt(self, task: str) -> TaskInstance | None:
        """Return the current attempt of `task` as this draft has it."""
        return self._current[task] if task in self._current else self._instance.attempts.get(task)

    def next_number(self, task: str) -> int:
        """Return the number of the next attempt of `task`, which has no current one."""
        last = self._spent[task] if task in self._spent else self._instance.spent.get(task)
        return (last or 0) + 1

    @property
    def is_stopping(self) -> bool:
        """Whether nothing gets another attempt: the run is stopping, or ending after a failure."""
        head = self.head
        return is_stopping(head) or head.state is WorkflowState.STOPPED or head.ending

    def definition(self, task: str) -> TaskDefinition:
        """Return the definition of `task`."""
        return self._instance.graph.tasks[task]

    def node(self, task: str) -> Node:
        """Return the counters of `task` as this draft has them."""
        return self._nodes.get(task) or self._instance.nodes[task]

    def outcome(self, task: str) -> Outcome | None:
        """Return how `task` ended; `None` where it has not, or is not part of the run."""
        return self.node(task).outcome if task in self._instance.nodes else None

    def due(self, seconds: float) -> datetime:
        """Return the database time `seconds` from now."""
        return self.context.now + timedelta(seconds=seconds)

    def count(self, *states: TaskState) -> int:
        """Return how many current attempts are in one of `states`; costs O(changes)."""
        number = self._instance.count(*states)
        for task, attempt in self._current.items():
            old = self._instance.attempts.get(task)
            number += attempt is not None and attempt.state in states
            number -= old is not None and old.state in states
        return number

    def failed(self) -> list[str]:
        """Return the names of the tasks that failed or were killed, without absorbed failures; O(those)."""
        absorbed = self.graph.absorbed
        failed = (one.task for one in self.waiting(_FAILED))
        return [task for task in failed if task not in absorbed and group_of(task) is None]

    def waiting(self, states: Sequence[TaskState]) -> Iterator[TaskInstance]:
        """Yield the current attempts in one of `states`, those that this draft changed first."""
        names = dict.fromkeys([*self._current, *self._instance.in_state(*states)]) if states else {}
        for task in names:
            attempt = self.attempt(task)
            if attempt is not None and attempt.state in states:
                yield attempt

    def state_of_new(self, task: str, due_at: datetime | None) -> TaskState:
        """Return the state in which a new attempt of `task` begins that is to go on at `due_at`, or at once."""
        if self.head.state is WorkflowState.WAITING or is_held(self.head, task):
            return TaskState.PAUSED
        return TaskState.SUBMITTED if due_at is None else TaskState.DELAYED

    @property
    def needs_turn(self) -> bool:
        """Whether the run has to wait for a turn that it does not have."""
        return not self.head.has_turn and needs_turn(self._instance.definition, self.head)

    @property
    def owes(self) -> bool:
        """Whether a node is owed an attempt, by earlier steps or by this one."""
        return any(self.node(task).owed for task in self._instance.owed) or any(
            node.owed for node in self._nodes.values()
        )
