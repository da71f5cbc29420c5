"""Owns what holds back a task that has an attempt: its worker group, its worker, a time, the broker, a signal."""

from collections.abc import Iterator
from shlex import quote

from orchestrator.core.elements import MAP
from orchestrator.core.instance import TaskInstance
from orchestrator.core.logic import APPROVAL, DEPENDENT, LOGIC_TYPES
from orchestrator.core.pool import is_without_slot, waits_for_slot
from orchestrator.core.run import is_doomed
from orchestrator.core.status import TASK_HANDED_OVER, TaskState, WorkflowState
from orchestrator.service.explaining.causes import Cause, Kind
from orchestrator.service.explaining.child_causes import held_children, with_child
from orchestrator.service.explaining.facts import Facts
from orchestrator.service.explaining.group_causes import places, unserved
from orchestrator.service.explaining.map_causes import map_cause
from orchestrator.service.explaining.pool_causes import without_slot
from orchestrator.service.explaining.reject_causes import rejected
from orchestrator.service.explaining.worker_causes import with_its_worker

T = TaskState
DEFERRED = "deferred"
"""Reason of an attempt that asked to be called again."""


def attempt_causes(facts: Facts, attempt: TaskInstance) -> Iterator[Cause]:
    """Yield why a current attempt that has not ended does not go on."""
    yield from _buried(facts, attempt)
    if is_doomed(facts.run.head, facts.run.graph.tasks[attempt.task]):
        yield _doomed(attempt)
    elif attempt.state is T.PAUSED:
        yield _held(facts, attempt)
    elif attempt.state is T.DELAYED:
        yield _timed(facts, attempt)
    elif attempt.type == MAP:
        yield map_cause(facts, attempt)
        yield from held_children(facts, attempt)
    elif attempt.type in LOGIC_TYPES:
        yield _decided(facts, attempt)
    elif attempt.incarnation is None and attempt.state in TASK_HANDED_OVER:
        yield from _unstarted(facts, attempt)
        return
    if attempt.incarnation is not None:
        yield with_its_worker(facts, attempt)


def _buried(facts: Facts, attempt: TaskInstance) -> Iterator[Cause]:
    """Name the events of this very attempt that were put aside: its report may be among them."""
    for one in facts.fleet.buried if facts.fleet else ():
        if (one.task, one.attempt) == (attempt.task, attempt.attempt):
            yield Cause(
                kind=Kind.BURIED,
                task=attempt.task,
                detail=f"a report of it was buried: {one.reason}",
                since=one.at,
                remedy=f"orchestrator events dead show {one.id} (then: replay {one.id})",
            )


def _doomed(attempt: TaskInstance) -> Cause:
    return Cause(
        kind=Kind.STOPPING,
        task=attempt.task,
        detail=f"is being ended with its run ({attempt.state}): killed where it runs, recalled where it waits",
    )


def _held(facts: Facts, attempt: TaskInstance) -> Cause:
    """Say who holds a paused attempt: a person who paused the task, or its run."""
    if attempt.task in facts.run.head.held:
        return held_by_name(facts, attempt.task, "is held: it was paused by name")
    return Cause(
        kind=Kind.HELD,
        task=attempt.task,
        detail="is held as long as its run is paused",
        since=facts.run.head.paused_at,
        remedy=f"orchestrator runs resume {facts.number}",
    )


def held_by_name(facts: Facts, task: str, detail: str) -> Cause:
    """Return that a person has paused this very task."""
    remedy = f"orchestrator runs resume {facts.number} --task {quote(task)}"
    return Cause(kind=Kind.HELD, task=task, detail=detail, remedy=remedy)


def _timed(facts: Facts, attempt: TaskInstance) -> Cause:
    task = facts.run.graph.tasks[attempt.task]
    kind, detail, remedy = Kind.DELAY, "waits for its delay", ""
    if attempt.reason == DEFERRED:
        kind, detail = Kind.DEFERRED, "asked to be called again (a deferral); it waits, holding no worker,"
    elif attempt.failures:
        failure = facts.failures.get(attempt.task)
        kind, detail = Kind.RETRY, "failed" + (f" ({failure})" if failure else "")
        detail += f"; it waits for its retry {attempt.failures} of {task.retries}"
        if attempt.type not in LOGIC_TYPES:
            name, before = quote(attempt.task), attempt.attempt - 1
            remedy = f"orchestrator runs logs {facts.number} {name} --attempt {before}"
    return Cause(
        kind=kind,
        task=attempt.task,
        detail=detail,
        since=attempt.submitted_at if kind is not Kind.DEFERRED else None,
        until=attempt.due_at,
        remedy=remedy,
    )


def _decided(facts: Facts, attempt: TaskInstance) -> Cause:
    """Say what a task waits for that the master decides."""
    if attempt.child is not None:
        return with_child(facts, attempt)
    if attempt.type == APPROVAL and attempt.state is T.RUNNING:
        default = facts.run.graph.tasks[attempt.task].spec.get("default") is not None
        end = "its default counts then" if default else "it fails then"
        return Cause(
            kind=Kind.SIGNAL,
            task=attempt.task,
            detail="waits for a signal" + (f", at most ({end})" if attempt.timeout_at else ""),
            since=attempt.started_at,
            until=attempt.timeout_at,
            remedy=f"orchestrator runs signal {facts.number} {quote(attempt.task)}",
        )
    if attempt.type == DEPENDENT and attempt.state is T.RUNNING and attempt.reason:
        limit = ", at most" if attempt.timeout_at else ""
        return Cause(
            kind=Kind.MASTER_DECIDES,
            task=attempt.task,
            detail=f"{attempt.reason}{limit}",
            since=attempt.started_at,
            until=attempt.timeout_at,
        )
    what = (
        "is carried on by the master"
        if attempt.state is T.RUNNING
        else "is about to be decided by the master"
    )
    return Cause(
        kind=Kind.MASTER_DECIDES,
        task=attempt.task,
        detail=what + (f": {attempt.reason}" if attempt.reason else ""),
        since=attempt.started_at or attempt.submitted_at,
    )


def _unstarted(facts: Facts, attempt: TaskInstance) -> Iterator[Cause]:
    """Yield why nobody runs an attempt that is ready."""
    if attempt.rejected_by:
        yield rejected(facts, attempt)
    if facts.run.head.state is WorkflowState.PAUSING:
        yield Cause(kind=Kind.HELD, task=attempt.task, detail="is being recalled, because its run pauses")
        return
    if attempt.task in facts.run.head.held:
        yield held_by_name(facts, attempt.task, "is being recalled: it was paused by name")
        return
    task, lacking = facts.run.graph.tasks[attempt.task], unserved(facts, attempt)
    if waits_for_slot(task, attempt) or (is_without_slot(task, attempt) and lacking is None):
        yield without_slot(facts, attempt)
        return
    if lacking is not None:
        yield lacking
    if attempt.state is T.DISPATCHED:
        yield _in_broker(facts, attempt, is_served=lacking is None)
    elif attempt.due_at is None and lacking is None:
        yield _waits_for_room(facts, attempt)


def _in_broker(facts: Facts, attempt: TaskInstance, *, is_served: bool) -> Cause:
    group = facts.group(attempt.task)
    again = f"; after {facts.dispatch_timeout_s:g} s it is recalled and sent again" if is_served else ""
    return Cause(
        kind=Kind.BROKER,
        task=attempt.task,
        detail=f"is in the broker, for the first worker of group '{group}' that is free"
        f"{places(facts, group)}{again}",
        since=attempt.dispatched_at,
    )


def _waits_for_room(facts: Facts, attempt: TaskInstance) -> Cause:
    group = facts.group(attempt.task)
    waiting = facts.fleet.waiting.get(group, 0) if facts.fleet else 0
    crowd = f"; {waiting} wait for it" if waiting else ""
    return Cause(
        kind=Kind.ROOM,
        task=attempt.task,
        detail=f"is ready, and waits in the master for room in group '{group}'{places(facts, group)}{crowd}",
        since=attempt.submitted_at,
        remedy=f"orchestrator worker --group {group}" if waiting else "",
    )
