"""Owns what a pool means for an attempt: when it stands in line for a slot, and when it gives one back.

An attempt in line, or with a slot, is SUBMITTED, DISPATCHED or RUNNING. Which of both it is says its row: it
waits as long as it is SUBMITTED for the reason `pool`, and the grant takes that reason away. One whose worker
group nobody serves gives way: it is SUBMITTED for the reason `no worker`, and outside, until somebody serves it.

Who leaves the line and comes back may still find the grant of the first time on its way, whose slot was given on
long ago. So each time has a number, which the attempt, its place, and the grant carry.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypedDict

from orchestrator.core.definition import TaskDefinition
from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.status import TaskState

TaskOf = Callable[[str], TaskDefinition]

WAITS_FOR_SLOT = "pool"
"""Reason of an attempt that is SUBMITTED and may not be dispatched before it has a slot of its pool."""

GIVES_WAY = "no worker"
"""Reason of an attempt that is SUBMITTED and stands in no line, because nobody serves its worker group."""

IN_POOL = frozenset({TaskState.SUBMITTED, TaskState.DISPATCHED, TaskState.RUNNING})
"""States in which an attempt stands in its pool's line, or has a slot, unless it gives way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPlace:
    """The place of one attempt in the line of a pool: the workflow's priority first, the task's, then age.

    Attributes:
        workflow_rank: 0 (highest) to 4.
        task_rank: 0 (highest) to 4.
        since: When the attempt was submitted first, in database time.
        sequence: Order of submission within the run.
        line_up: Which of the attempt's times in line it is.
    """

    pool: str
    workflow_instance_id: int
    task: str
    attempt: int
    workflow_rank: int
    task_rank: int
    since: datetime | None
    sequence: int
    line_up: int

    @property
    def key(self) -> tuple[int, str, int]:
        """Primary key of the attempt's row."""
        return (self.workflow_instance_id, self.task, self.attempt)


class PoolMoves(TypedDict):
    """The fields of a transition that are about pools."""

    released: tuple[PoolPlace, ...]
    lined_up: tuple[PoolPlace, ...]


def is_in_pool(head: Head, task: TaskDefinition, attempt: TaskInstance | None) -> bool:
    """Return whether an attempt stands in the line of its task's pool, or has a slot of it.

    A row of another type than its task's only stands for a group of attempts, and a dry run runs nothing.
    """
    if task.pool is None or attempt is None or head.dry_run:
        return False
    return attempt.state in IN_POOL and attempt.type == task.type and not gives_way(task, attempt)


def waits_for_slot(task: TaskDefinition, attempt: TaskInstance) -> bool:
    """Return whether an attempt stands in line."""
    return _is_submitted_for(WAITS_FOR_SLOT, task, attempt)


def gives_way(task: TaskDefinition, attempt: TaskInstance) -> bool:
    """Return whether an attempt lets its pool's others go first, because nobody serves its worker group."""
    return _is_submitted_for(GIVES_WAY, task, attempt)


def is_without_slot(task: TaskDefinition, attempt: TaskInstance) -> bool:
    """Return whether an attempt may not be dispatched yet: nobody but the master has, or had, its hand-over."""
    return waits_for_slot(task, attempt) or gives_way(task, attempt)


def _is_submitted_for(reason: str, task: TaskDefinition, attempt: TaskInstance) -> bool:
    if task.pool is None or attempt.type != task.type:
        return False
    return attempt.state is TaskState.SUBMITTED and attempt.reason == reason


def in_place(head: Head, task: TaskDefinition, old: TaskInstance | None, new: TaskInstance) -> TaskInstance:
    """Return an attempt as it stands after a change: who comes into the pool stands in line, who leaves does not.

    Args:
        head: The run's row.
        task: The definition of the attempt's task.
        old: The attempt before the change; `None`: there was none.
        new: The same after it.
    """
    comes = is_in_pool(head, task, new) and not is_in_pool(head, task, old)
    if comes and new.state is TaskState.SUBMITTED:
        return replace(new, reason=WAITS_FOR_SLOT, line_ups=new.line_ups + 1)
    waited = old is not None and is_without_slot(task, old)
    if waited and new.state is not TaskState.SUBMITTED and new.reason in (WAITS_FOR_SLOT, GIVES_WAY):
        return replace(new, reason=None)
    return new


def place_of(head: Head, task: TaskDefinition, attempt: TaskInstance) -> PoolPlace:
    """Return the place of an attempt of a pooled task in the pool's line."""
    return PoolPlace(
        pool=task.pool or "",
        workflow_instance_id=attempt.workflow_instance_id,
        task=attempt.task,
        attempt=attempt.attempt,
        workflow_rank=head.priority.rank,
        task_rank=task.priority.rank,
        since=attempt.submitted_at,
        sequence=attempt.sequence,
        line_up=attempt.line_ups,
    )


def moves(
    head: Head, task_of: TaskOf, before: Mapping[str, TaskInstance], written: Iterable[TaskInstance]
) -> PoolMoves:
    """Return who has left a pool in a step, and who waits for a slot since that step.

    Args:
        head: The run's row.
        task_of: Gives the definition of a task.
        before: The current attempts before the step, by task.
        written: Every attempt that the step changed or added.
    """
    released, lined_up = [], []
    for attempt in written:
        task, old = task_of(attempt.task), _same(before, attempt)
        if is_in_pool(head, task, old) and not is_in_pool(head, task, attempt):
            released.append(place_of(head, task, attempt))
        if waits_for_slot(task, attempt) and not (old is not None and waits_for_slot(task, old)):
            lined_up.append(place_of(head, task, attempt))
    return PoolMoves(released=tuple(released), lined_up=tuple(lined_up))


def _same(before: Mapping[str, TaskInstance], attempt: TaskInstance) -> TaskInstance | None:
    """Return the same attempt as it was before; `None` if it is new."""
    old = before.get(attempt.task)
    return old if old is not None and old.attempt == attempt.attempt else None
