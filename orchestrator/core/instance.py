"""Owns the rows of a run as values: the head of a workflow instance and its task instances."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestrator.core.definition import OnFailure, Priority
from orchestrator.core.status import TaskState, WorkflowState


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The scalar fields of one workflow instance: one row of `workflow_instance`.

    Attributes:
        slot: `id mod slots`: the stream and the lease it belongs to.
        params: Start parameters as given, already typed.
        run_count: 1, and one more with every recover or rerun.
        planned_time: The time the run is about (manual runs: the submit time), aware UTC.
        interval_start: The fire time before the planned one; `None`: nobody planned it.
        timeout_at: When the run's own timeout is due; moved on by paused time.
        paused_at: Since when it is pausing or paused; paused time does not count for the timeout.
        timed_out: The timeout was noticed (an alert is sent once).
        ending: `on_failure: end` has seen a failure: nothing new starts, active tasks are killed.
        has_turn: It is under way: it began and has not ended (a dry run never is). One of a serial workflow's is.
        next_sequence: Number of the next attempt in order of submission.
        held: Tasks that a person has paused by name: they are held when they are ready, until they are resumed.
    """

    id: int
    slot: int
    definition_id: int
    workflow: str
    version: int
    state: WorkflowState
    run_count: int = 1
    dry_run: bool = False
    priority: Priority = Priority.MEDIUM
    worker_group: str = "default"
    on_failure: OnFailure = OnFailure.CONTINUE
    params: Mapping[str, Any] = field(default_factory=dict)
    start_nodes: tuple[str, ...] = ()
    depends: str = "downstream"
    planned_time: datetime
    interval_start: datetime | None = None
    submitted_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    timeout_at: datetime | None = None
    paused_at: datetime | None = None
    timed_out: bool = False
    ending: bool = False
    has_turn: bool = False
    next_sequence: int = 1
    reason: str | None = None
    parent_id: int | None = None
    parent_task: str | None = None
    held: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskInstance:
    """One attempt of one task in one run: one row of `task_instance`.

    Attributes:
        sequence: Position in the run's order of submission, from 1.
        current: Exactly one attempt of a task is; a retry or replacement takes it over.
        dispatch: Number of the hand-over; it grows when one ends without a result.
        ticket: Random secret of the present dispatch.
        failures: Attempts before this one that ended FAILURE since the last fresh start: retries used.
        losses: Attempts in a row before this one that were LOST with their whole worker.
        deaths: Attempts in a row before this one that were LOST by the death of their own process.
        due_at: When a DELAYED attempt, or one handed back by a worker, goes on.
        started_at: First RUNNING of the attempt; `timeout_at` counts from it.
        begun: Number of the hand-over that began it; a claim that nobody answered has not.
        timeout_at: When its timeout is due.
        queue_timeout_at: When it will have waited too long for a worker, from its first time in the queue on; kept
            while it runs, for if nothing was begun after all.
        worker: Name of the owner: the worker whose event of this dispatch was committed first.
        incarnation: The owner's incarnation.
        reported: The owner's own report ended the attempt (a repeat of it is normal, not stale).
        child: The run that a sub_workflow task has started, which ends it.
        taken: The branch tasks that a switch or conditions task chose; `None`: it chose nothing, all count.
        rejected_by: Workers that gave this attempt back, and why, newest last (`name reason`).
        cache_key: Of this hand-over: under which its outputs will be kept. `None`: nobody has looked there yet.
        line_ups: How often it has come into the line of its pool; a grant speaks of one of these times.
    """

    workflow_instance_id: int
    task: str
    attempt: int
    sequence: int
    type: str
    state: TaskState
    ticket: str
    current: bool = True
    dispatch: int = 1
    failures: int = 0
    losses: int = 0
    deaths: int = 0
    submitted_at: datetime | None = None
    due_at: datetime | None = None
    dispatched_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    begun: int | None = None
    timeout_at: datetime | None = None
    queue_timeout_at: datetime | None = None
    worker: str | None = None
    incarnation: str | None = None
    reported: bool = False
    host: str | None = None
    pid: int | None = None
    process_group: int | None = None
    log_path: str | None = None
    external_ids: Mapping[str, str] = field(default_factory=dict)
    worker_clock: datetime | None = None
    exit_code: int | None = None
    reason: str | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    taken: tuple[str, ...] | None = None
    child: int | None = None
    rejected_by: tuple[str, ...] = ()
    cache_key: str | None = None
    line_ups: int = 0

    @property
    def key(self) -> tuple[int, str, int]:
        """Primary key of the row."""
        return (self.workflow_instance_id, self.task, self.attempt)

    @property
    def token(self) -> tuple[int, int]:
        """Attempt and dispatch: compared before any state is."""
        return (self.attempt, self.dispatch)


def successor(attempt: TaskInstance, *, state: TaskState, ticket: str, **changes: Any) -> TaskInstance:
    """Return the attempt that takes the place of one that ended: the same task, the counts of what went wrong.

    Args:
        attempt: The one that ended.
        state: In which the new one begins.
        ticket: What marks its hand-overs.
        changes: Other fields of the new one.
    """
    counts = {"failures": attempt.failures, "losses": attempt.losses, "deaths": attempt.deaths}
    return TaskInstance(
        workflow_instance_id=attempt.workflow_instance_id,
        task=attempt.task,
        attempt=attempt.attempt + 1,
        sequence=0,
        type=attempt.type,
        state=state,
        ticket=ticket,
        **{**counts, **changes},
    )
