"""Owns a workflow instance in memory: its head, current attempts and counters; `apply` and its inverse."""

from collections.abc import Iterable, Iterator, Mapping

from orchestrator.core.branches import CONDITIONS
from orchestrator.core.dag import Graph
from orchestrator.core.definition import TaskDefinition, Trigger, WorkflowDefinition
from orchestrator.core.elements import group_of
from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.node import Decision, Node, decide_conditions, decide_trigger
from orchestrator.core.status import TASK_ACTIVE, TaskState, WorkflowState
from orchestrator.core.transition import Transition


class WorkflowInstance:
    """One run in memory. Only `apply` changes it.

    Args:
        head: The row of the workflow instance.
        revision: The row's revision; the loop moves it on after each commit.
        definition: The definition that the run is pinned to.
        graph: The compiled graph of that definition.
        attempts: The current attempt of each task that has one.
        spent: Task name to the number of its last attempt, of tasks that had attempts and have no current one:
            they are to be run again, and their next attempt counts on from there.
    """

    __slots__ = ("_states", "attempts", "definition", "graph", "head", "nodes", "owed", "revision", "spent")

    def __init__(
        self,
        *,
        head: Head,
        revision: int,
        definition: WorkflowDefinition,
        graph: Graph,
        attempts: Iterable[TaskInstance] = (),
        spent: Mapping[str, int] | None = None,
    ) -> None:
        self.head = head
        self.revision = revision
        self.definition = definition
        self.graph = graph
        self.attempts: dict[str, TaskInstance] = {}
        self.spent: dict[str, int] = dict(spent or {})
        self.nodes: dict[str, Node] = fresh_nodes(graph)
        self.owed: dict[str, None] = {}
        self._states: dict[TaskState, dict[str, None]] = {state: {} for state in TaskState}
        for attempt in attempts:
            self._set_attempt(attempt.task, attempt)

    def apply(self, transition: Transition) -> Transition:
        """Make the changes of `transition` and return the transition that undoes them; costs O(changes)."""
        inverse = Transition(
            head=self.head if transition.head is not None else None,
            current=tuple((task, self.attempts.get(task)) for task, _ in transition.current),
            nodes=tuple((task, self.nodes[task]) for task, _ in transition.nodes),
            spent=tuple((task, self.spent.get(task)) for task, _ in transition.spent),
        )
        if transition.head is not None:
            self.head = transition.head
        for task, attempt in transition.current:
            self._set_attempt(task, attempt)
        for task, node in transition.nodes:
            self._set_node(task, node)
        for task, last in transition.spent:
            self._set_spent(task, last)
        return inverse

    def in_state(self, *states: TaskState) -> list[str]:
        """Return the names of the tasks whose current attempt is in one of `states`, oldest change first."""
        return [task for state in states for task in self._states[state]]

    def count(self, *states: TaskState) -> int:
        """Return how many current attempts are in one of `states`, in constant time."""
        return sum(len(self._states[state]) for state in states)

    @property
    def is_active(self) -> bool:
        """Whether an attempt is waiting, handed over or running."""
        return self.count(*TASK_ACTIVE) > 0

    @property
    def is_unsettled(self) -> bool:
        """Whether another step must create or sweep rows that the last one left over."""
        return bool(self.owed_now()) or next(self.to_sweep(), None) is not None

    def to_sweep(self) -> Iterator[tuple[TaskInstance, TaskState]]:
        """Yield the waiting attempts that the run's state moves on, with the state each must go to."""
        for task in self.in_state(*swept_states(self.head)):
            attempt = self.attempts[task]
            target = sweep_target(self.head, self.graph.tasks[task], attempt)
            if target is not None:
                yield attempt, target

    def owed_now(self) -> Mapping[str, None]:
        """Return the nodes whose attempt is to be created in the present state of the run."""
        return self.owed if self.head.state in CREATING else {}

    def decide(self, task: str, node: Node) -> Decision:
        """Return what is to happen with a task that has no attempt yet."""
        return decide_node(self.head, self.graph.tasks[task], node)

    def snapshot(self) -> tuple[object, ...]:
        """Return everything that a rollback must restore, comparable with `==`."""
        return (
            self.head,
            self.revision,
            dict(self.attempts),
            dict(self.spent),
            dict(self.nodes),
            set(self.owed),
            {state: set(tasks) for state, tasks in self._states.items()},
        )

    def _set_attempt(self, task: str, attempt: TaskInstance | None) -> None:
        old = self.attempts.get(task)
        if old is not None:
            _discard(self._states[old.state], task)
        if attempt is None:
            self.attempts.pop(task, None)
        else:
            self.attempts[task] = attempt
            self._states[attempt.state][task] = None

    def _set_node(self, task: str, node: Node) -> None:
        self.nodes[task] = node
        if node.owed:
            self.owed[task] = None
        elif task in self.owed:
            _discard(self.owed, task)

    def _set_spent(self, task: str, last: int | None) -> None:
        if last is None:
            self.spent.pop(task, None)
        else:
            self.spent[task] = last


def fresh_nodes(graph: Graph) -> dict[str, Node]:
    """Return the counters of a run in which nothing has happened."""
    return {name: Node(open=len(graph.upstream[name])) for name in graph.order}


def _discard(names: dict[str, None], name: str) -> None:
    """Take `name` out of an ordered set; one that is empty then forgets how big it was.

    Reading a dict costs what it once held until it is cleared: 100,000 names gone would slow every later step.
    """
    del names[name]
    if not names:
        names.clear()


CREATING = frozenset({WorkflowState.RUNNING, WorkflowState.PAUSING})
"""States of a run in which attempts are created."""

STOPPED_REASON = "stopped"
"""Why a run ends that a person stopped; reasons of other stops begin with it."""


QUEUE_TIMEOUT = "queue timeout"
"""Reason of an attempt that waited too long for a worker: it is taken back, and fails if nobody has it."""


def is_clean_up(task: TaskDefinition) -> bool:
    """Return whether `task` runs however its upstreams end; `on_failure: end` spares it."""
    return task.trigger is Trigger.ALL_DONE


def is_doomed(head: Head, task: TaskDefinition) -> bool:
    """Return whether the run's state wants active attempts of `task` to end."""
    return is_stopping(head) or (head.ending and not is_clean_up(task))


def is_held(head: Head, task: str) -> bool:
    """Return whether nothing of `task` may start now: its run pauses, or it, or its map, was paused by name."""
    if not head.held:
        return head.state is WorkflowState.PAUSING
    return head.state is WorkflowState.PAUSING or task in head.held or group_of(task) in head.held


def is_stopping(head: Head) -> bool:
    """Return whether a stop was asked for and is not finished.

    A PAUSED run has no edge to STOPPING: it stays PAUSED, for a reason that begins with `stopped`, until its rows
    are killed.
    """
    if head.state is WorkflowState.PAUSED:
        return head.reason is not None and head.reason.startswith(STOPPED_REASON)
    return head.state is WorkflowState.STOPPING


def swept_states(head: Head) -> tuple[TaskState, ...]:
    """Return the states whose attempts the run's state may not leave as they are."""
    if is_stopping(head) or (head.ending and head.state in CREATING):
        return (TaskState.DELAYED, TaskState.PAUSED)
    if head.state is WorkflowState.PAUSING:
        return (TaskState.DELAYED,)
    if head.state is not WorkflowState.RUNNING:
        return ()
    return (TaskState.PAUSED, TaskState.DELAYED) if head.held else (TaskState.PAUSED,)


def sweep_target(head: Head, task: TaskDefinition, attempt: TaskInstance) -> TaskState | None:
    """Return the state a waiting attempt must go to because of the run's state, or `None`."""
    if is_doomed(head, task):
        return TaskState.KILLED
    if is_held(head, attempt.task):
        return TaskState.PAUSED if attempt.state is TaskState.DELAYED else None
    if head.state is WorkflowState.RUNNING and attempt.state is TaskState.PAUSED:
        return TaskState.SUBMITTED if attempt.due_at is None else TaskState.DELAYED
    return None


def decide_node(head: Head, task: TaskDefinition, node: Node) -> Decision:
    """Return what is to happen with a node: its trigger's word, unless the run is ending after a failure.

    Then even a trigger that decides early waits for all its upstreams before it is not run, so that whether an
    ancestor of the clean-up behind it had started does not depend on the order of events.
    """
    decision = decide_conditions(node) if task.type == CONDITIONS else decide_trigger(task.trigger, node)
    if head.ending and decision is Decision.RUN and not (is_clean_up(task) and node.started):
        return Decision.WAIT if node.open else Decision.NOT_RUN
    return decision
