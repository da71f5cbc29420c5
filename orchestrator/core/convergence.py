"""Owns convergence: a draft is brought, a bounded step at a time, to what the state of its run asks for."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from orchestrator.core.branches import CONDITIONS, chosen_by_conditions
from orchestrator.core.draft import Draft
from orchestrator.core.elements import MAP, extent_of
from orchestrator.core.instance import TaskInstance
from orchestrator.core.logic import APPROVAL, DEPENDENT, WAITS_FOR_SIGNAL
from orchestrator.core.maps import is_spread
from orchestrator.core.node import Decision, Outcome
from orchestrator.core.run import CREATING, STOPPED_REASON, is_stopping, sweep_target, swept_states
from orchestrator.core.spreading import begin_elements, tend_maps
from orchestrator.core.status import TASK_ACTIVE, WORKFLOW_FINAL, TaskState, WorkflowState

MOST_NAMED = 3
"""So many failed tasks stand in the reason of a run."""


def converge(draft: Draft) -> None:
    """Bring waiting attempts and owed nodes to what the run asks for, then end it if it is over.

    At most `context.row_limit` rows are written; what is left keeps the run unsettled.
    """
    budget = draft.context.row_limit
    for attempt, target in _to_sweep(draft, budget):
        budget -= 1
        if target is TaskState.KILLED and attempt.child is not None:
            _go_on_with_child(draft, attempt)  # it ends when its child has
        elif target is TaskState.KILLED:
            draft.end(attempt, target, reason=STOPPED_REASON)
        else:
            _let_go(draft, draft.update(attempt, state=target))
    tend_maps(draft)
    for task in draft.owed_tasks():
        if budget <= 0 or draft.head.state not in CREATING:
            break
        budget -= (
            begin_elements(draft, task, budget, _begin) if is_spread(draft, task) else _create(draft, task)
        )
    _finish(draft)


def final_state(
    state: WorkflowState, count: Callable[..., int], *, failed: bool, owes: bool
) -> WorkflowState:
    """Return the state a run goes to when nothing is active any more.

    Args:
        state: RUNNING, PAUSING, STOPPING, or PAUSED if it is being stopped.
        count: Gives the number of current attempts in given states.
        failed: An attempt failed or was killed, and that was not absorbed.
        owes: Something is still to run.
    """
    if state is WorkflowState.PAUSED:
        return WorkflowState.STOPPED
    if state is WorkflowState.PAUSING and (count(TaskState.PAUSED) or owes):
        return WorkflowState.PAUSED
    if state is WorkflowState.STOPPING and (count(TaskState.KILLED) or owes):
        return WorkflowState.STOPPED
    return WorkflowState.FAILURE if failed else WorkflowState.SUCCESS


def _to_sweep(draft: Draft, most: int) -> list[tuple[TaskInstance, TaskState]]:
    """Return waiting attempts that the run's state moves on, the draft's own ones included."""
    found = []
    for attempt in draft.waiting(swept_states(draft.head)):
        target = sweep_target(draft.head, draft.definition(attempt.task), attempt)
        if target is not None:
            found.append((attempt, target))
        if len(found) == most:
            break
    return found


def _create(draft: Draft, task: str) -> int:
    """Create the attempt of an owed node; return how many rows that took."""
    decision = draft.take_owed(task)
    if decision is Decision.NOT_RUN:
        draft.settle(task, Outcome.NOT_RUN)
        return 0
    if decision is Decision.WAIT:  # its trigger had decided early, before the run began to end
        return 0
    attempt = draft.insert(_first_attempt(draft, task, skipped=decision is Decision.SKIP))
    if attempt.state is TaskState.SKIPPED:
        draft.settle(task, Outcome.SKIPPED)
    else:
        _let_go(draft, attempt)
    return 1


def _begin(draft: Draft, element: str, failed: TaskInstance | None) -> None:
    """Create the attempt of an element of a map; the child of one that failed before is recovered."""
    if failed is not None and failed.child is not None:
        begin_with_child(draft, failed)
    else:
        draft.insert(_first_attempt(draft, element, skipped=False))


def _first_attempt(draft: Draft, task: str, *, skipped: bool) -> TaskInstance:
    definition = draft.definition(task)
    waits = definition.delay_s and not skipped and not draft.head.dry_run
    due_at = draft.due(definition.delay_s) if waits else None
    return TaskInstance(
        workflow_instance_id=draft.head.id,
        task=task,
        attempt=draft.next_number(task),
        sequence=0,
        type=definition.type,
        state=TaskState.SKIPPED if skipped else draft.state_of_new(task, due_at),
        ticket=draft.context.new_ticket(),
        due_at=due_at,
        ended_at=draft.context.now if skipped else None,
    )


def _let_go(draft: Draft, attempt: TaskInstance) -> None:
    """Carry a submitted attempt as far as it needs nobody: in a dry run to its end, without executing anything."""
    if attempt.state is not TaskState.SUBMITTED:
        return
    task = draft.definition(attempt.task)
    if draft.head.dry_run:
        draft.end(attempt, TaskState.SUCCESS, reason="dry run")
    elif attempt.child is not None:
        _go_on_with_child(draft, attempt)
    elif task.type == MAP and extent_of(attempt) is not None:
        draft.update(attempt, state=TaskState.RUNNING, started_at=attempt.started_at or draft.context.now)
    elif task.type == CONDITIONS:
        taken = chosen_by_conditions(task, draft.outcome)
        draft.end(attempt, TaskState.SUCCESS, started_at=draft.context.now, taken=taken)
    elif task.type == APPROVAL:
        _wait_here(draft, attempt, task.timeout_s or None, WAITS_FOR_SIGNAL)
    elif task.type == DEPENDENT:
        _wait_here(draft, attempt, task.spec.get("wait"), None)


def _wait_here(draft: Draft, attempt: TaskInstance, most_s: float | None, reason: str | None) -> None:
    """Let a task that no worker gets wait for something outside the run, at most `most_s` seconds."""
    due = None if most_s is None else draft.due(most_s)
    now = draft.context.now
    draft.update(attempt, state=TaskState.RUNNING, started_at=now, timeout_at=due, reason=reason)


def begin_with_child(draft: Draft, ended: TaskInstance) -> None:
    """Give the task of an attempt that does not count any more a new one, which has the same child."""
    fresh = _first_attempt(draft, ended.task, skipped=False)
    attempt = draft.insert(
        replace(fresh, state=draft.state_of_new(ended.task, None), due_at=None, child=ended.child)
    )
    if attempt.state is TaskState.SUBMITTED:  # else its run waits for its turn, or it is held
        _go_on_with_child(draft, attempt)


def begin_with_elements(draft: Draft, ended: TaskInstance) -> None:
    """Give a map whose attempt does not count any more a new one, in which only what failed runs again."""
    fresh = _first_attempt(draft, ended.task, skipped=False)
    state = draft.state_of_new(ended.task, None)
    attempt = replace(fresh, state=state, due_at=None, external_ids=ended.external_ids)
    _let_go(draft, draft.insert(attempt))


def _go_on_with_child(draft: Draft, attempt: TaskInstance) -> None:
    """Wait for the child that the attempt has already; what is asked of it goes out with the transition."""
    timeout_s = draft.definition(attempt.task).timeout_s
    submitted = draft.update(attempt, state=TaskState.SUBMITTED)
    due = draft.due(timeout_s) if timeout_s else None  # paused time does not count: the clock begins anew
    started_at = attempt.started_at or draft.context.now
    draft.update(submitted, state=TaskState.RUNNING, started_at=started_at, timeout_at=due)


def _finish(draft: Draft) -> None:
    """End the run when nothing is active any more (SEMANTICS section 3)."""
    stopping = is_stopping(draft.head)
    if not (stopping or draft.head.state in CREATING) or draft.count(*TASK_ACTIVE):
        return
    owes = draft.owes
    if (owes and not stopping) or _to_sweep(draft, 1):
        return
    if draft.head.state is WorkflowState.RUNNING and draft.count(TaskState.PAUSED):
        return  # held by name: the run goes on when they are resumed
    failed = draft.failed()
    final = final_state(draft.head.state, draft.count, failed=bool(failed), owes=owes)
    if final is WorkflowState.PAUSED:
        draft.set_head(state=final)
        return
    reason = _reason(draft, final, failed)
    draft.set_head(state=final, ended_at=draft.context.now, paused_at=None, reason=reason)
    if final is WorkflowState.FAILURE:
        draft.alert("workflow_failure", "", reason=reason)
    elif final is WorkflowState.SUCCESS:
        draft.alert_if_asked("workflow_success", "")


def _reason(draft: Draft, final: WorkflowState, failed: Sequence[str]) -> str | None:
    if final not in WORKFLOW_FINAL or final is WorkflowState.SUCCESS:
        return None
    if final is WorkflowState.STOPPED:
        return draft.head.reason or STOPPED_REASON
    named = sorted(failed[:MOST_NAMED])
    more = len(failed) - len(named)
    return "failed: " + ", ".join(named) + (f" and {more} more" if more > 0 else "")
