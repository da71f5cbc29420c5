"""Owns the states of task and workflow instances and the one table of edges between them."""

from enum import StrEnum

from orchestrator.errors import IllegalTransition


class TaskState(StrEnum):
    """State of one attempt of one task."""

    SUBMITTED = "SUBMITTED"
    DELAYED = "DELAYED"
    DISPATCHED = "DISPATCHED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    KILLED = "KILLED"
    LOST = "LOST"
    SKIPPED = "SKIPPED"
    FORCED_SUCCESS = "FORCED_SUCCESS"


class WorkflowState(StrEnum):
    """State of one workflow instance."""

    SUBMITTED = "SUBMITTED"
    WAITING = "WAITING"
    RUNNING = "RUNNING"
    PAUSING = "PAUSING"
    PAUSED = "PAUSED"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"


T = TaskState
TASK_FINAL = frozenset({T.SUCCESS, T.FAILURE, T.KILLED, T.LOST, T.SKIPPED, T.FORCED_SUCCESS})
TASK_ACTIVE = frozenset({T.SUBMITTED, T.DELAYED, T.DISPATCHED, T.RUNNING})
TASK_HANDED_OVER = frozenset({T.SUBMITTED, T.DISPATCHED})
TASK_INITIAL = frozenset({T.SUBMITTED, T.DELAYED, T.SKIPPED, T.PAUSED})

TASK_EDGES: dict[TaskState, frozenset[TaskState]] = {
    T.SUBMITTED: frozenset(
        {T.SUBMITTED, T.DISPATCHED, T.RUNNING, T.DELAYED, T.SUCCESS, T.FAILURE, T.KILLED, T.LOST, T.PAUSED}
    ),
    T.DELAYED: frozenset({T.SUBMITTED, T.PAUSED, T.KILLED}),
    T.DISPATCHED: frozenset(
        {T.SUBMITTED, T.RUNNING, T.DELAYED, T.SUCCESS, T.FAILURE, T.KILLED, T.LOST, T.PAUSED}
    ),
    T.RUNNING: frozenset({T.SUCCESS, T.FAILURE, T.KILLED, T.LOST, T.DELAYED, T.PAUSED}),
    T.PAUSED: frozenset({T.SUBMITTED, T.DELAYED, T.KILLED}),
    T.FAILURE: frozenset({T.FORCED_SUCCESS}),
    T.KILLED: frozenset({T.FORCED_SUCCESS}),
    T.SKIPPED: frozenset(),
    T.SUCCESS: frozenset(),
    T.FORCED_SUCCESS: frozenset(),
    T.LOST: frozenset(),
}
del T

W = WorkflowState
WORKFLOW_FINAL = frozenset({W.SUCCESS, W.FAILURE, W.STOPPED})

WORKFLOW_EDGES: dict[WorkflowState, frozenset[WorkflowState]] = {
    W.SUBMITTED: frozenset({W.RUNNING, W.WAITING, W.FAILURE, W.STOPPED, W.PAUSED}),
    W.WAITING: frozenset({W.SUBMITTED, W.STOPPED, W.PAUSED}),
    W.RUNNING: frozenset({W.PAUSING, W.STOPPING, W.SUCCESS, W.FAILURE}),
    W.PAUSING: frozenset({W.RUNNING, W.PAUSED, W.STOPPING, W.SUCCESS, W.FAILURE}),
    W.PAUSED: frozenset({W.RUNNING, W.WAITING, W.STOPPED}),
    W.STOPPING: frozenset({W.STOPPED, W.FAILURE, W.SUCCESS}),
    W.STOPPED: frozenset({W.RUNNING, W.WAITING}),
    W.SUCCESS: frozenset({W.RUNNING, W.WAITING}),
    W.FAILURE: frozenset({W.RUNNING, W.WAITING}),
}
del W


def check_task_edge(old: TaskState, new: TaskState) -> None:
    """Return if an attempt may go from `old` to `new`.

    Raises:
        IllegalTransition: The edge table has no such edge.
    """
    if new not in TASK_EDGES[old]:
        raise IllegalTransition(f"task instance: {old} -> {new}")


def check_workflow_edge(old: WorkflowState, new: WorkflowState) -> None:
    """Return if a workflow instance may go from `old` to `new`.

    Raises:
        IllegalTransition: The edge table has no such edge.
    """
    if new not in WORKFLOW_EDGES[old]:
        raise IllegalTransition(f"workflow instance: {old} -> {new}")
