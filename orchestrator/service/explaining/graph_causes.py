"""Owns what the graph has to do with it: upstreams that are not done, failures, switches, tasks left out."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from shlex import quote

from orchestrator.core.branches import edge_outcome
from orchestrator.core.definition import Trigger
from orchestrator.core.elements import MAP
from orchestrator.core.instance import TaskInstance
from orchestrator.core.logic import LOGIC_TYPES
from orchestrator.core.node import OUTCOMES, Outcome
from orchestrator.core.run import WorkflowInstance
from orchestrator.core.status import WORKFLOW_FINAL, TaskState
from orchestrator.service.explaining.causes import Cause, Kind, named
from orchestrator.service.explaining.facts import Facts
from orchestrator.service.explaining.reject_causes import after_rejects

MAP_LIMIT = "ORCHESTRATOR_MAP_LIMIT"


def unreached_cause(facts: Facts, task: str) -> Cause:
    """Return why a task has no attempt."""
    run = facts.run
    node = run.nodes[task]
    if node.outcome is Outcome.NOT_RUN:
        return _not_run(facts, task)
    if run.head.state in WORKFLOW_FINAL:
        return Cause(
            kind=Kind.NOT_REACHED,
            task=task,
            detail=f"was not reached before the run ended {run.head.state}",
            since=run.head.ended_at,
            remedy=_recover(facts),
        )
    waits_for = [name for name in run.graph.upstream[task] if run.nodes[name].outcome is None]
    return _upstream(facts, task, waits_for) if waits_for and not node.owed else _ready(facts, task)


def ended_cause(facts: Facts, attempt: TaskInstance) -> Cause:
    """Return how a task ended: what failed, why it was skipped, or that nothing is wrong."""
    if attempt.state is TaskState.SKIPPED:
        return _skipped(facts, attempt)
    if OUTCOMES.get(attempt.state) is not Outcome.FAILED:
        reason = f": {attempt.reason}" if attempt.reason else ""
        detail = f"ended {attempt.state}{reason}"
        return Cause(kind=Kind.ENDED, task=attempt.task, detail=detail, since=attempt.ended_at)
    absorbed = attempt.task in facts.run.graph.absorbed
    return Cause(
        kind=Kind.FAILED,
        task=attempt.task,
        detail=f"ended {attempt.state} in attempt {attempt.attempt}: {attempt.reason or 'no reason was given'}"
        + (" (a conditions task absorbs that)" if absorbed else ""),
        since=attempt.ended_at,
        remedy=_after_failure(facts, attempt),
    )


def _after_failure(facts: Facts, attempt: TaskInstance) -> str:
    """Say where to read more: what no worker has begun has no log, its reason is all."""
    if attempt.child is not None:
        return f"orchestrator runs explain {attempt.child}"
    if attempt.type in LOGIC_TYPES:
        limit = attempt.type == MAP and MAP_LIMIT in (attempt.reason or "")
        return f"shorten its list, or raise {MAP_LIMIT} for every master" if limit else ""
    if attempt.started_at is None:
        return after_rejects(facts, attempt) if attempt.rejected_by else ""
    return f"orchestrator runs logs {facts.number} {quote(attempt.task)}"


def outside_cause(facts: Facts, task: str) -> Cause:
    """Return why a task of the definition is no part of the run."""
    return Cause(kind=Kind.LEFT_OUT, task=task, detail=facts.outside[task])


def front(run: WorkflowInstance, task: str) -> list[str]:
    """Return what a task waits for in the end, nearest first: its ancestors with an attempt that has not ended."""
    return list(_above(run, task, lambda name: run.nodes[name].outcome is None, _has_attempt(run)))


def _has_attempt(run: WorkflowInstance) -> Callable[[str], bool]:
    return lambda name: name in run.attempts


def _above(
    run: WorkflowInstance, task: str, follow: Callable[[str], bool], wanted: Callable[[str], bool]
) -> Iterator[str]:
    """Yield the wanted ancestors of a task that are reached through those that `follow` lets pass."""
    waiting, seen = deque(run.graph.upstream[task]), set(run.graph.upstream[task])
    while waiting:
        name = waiting.popleft()
        if not follow(name):
            continue
        if wanted(name):
            yield name
        fresh = [one for one in run.graph.upstream[name] if one not in seen]
        seen.update(fresh)
        waiting.extend(fresh)


def _upstream(facts: Facts, task: str, waits_for: Iterable[str]) -> Cause:
    run = facts.run
    trigger = run.graph.tasks[task].trigger
    rule = "" if trigger is Trigger.ALL_SUCCESS else f" (trigger: {trigger})"
    return Cause(
        kind=Kind.UPSTREAM,
        task=task,
        detail="waits for " + named(f"{name} ({_state(run, name)})" for name in waits_for) + rule,
        since=_last_end(run, run.graph.upstream[task]) or run.head.started_at,
    )


def _state(run: WorkflowInstance, task: str) -> str:
    attempt = run.attempts.get(task)
    return str(attempt.state) if attempt is not None else "not reached yet"


def _last_end(run: WorkflowInstance, tasks: Iterable[str]) -> datetime | None:
    ends = [run.attempts[one].ended_at for one in tasks if one in run.attempts]
    return max((end for end in ends if end is not None), default=None)


def _ready(facts: Facts, task: str) -> Cause:
    run = facts.run
    begun = run.head.started_at is not None
    return Cause(
        kind=Kind.READY,
        task=task,
        detail="waits for nothing but its run" + ("" if begun else ", which has not started"),
        since=_last_end(run, run.graph.upstream[task]) or run.head.started_at,
    )


def _not_run(facts: Facts, task: str) -> Cause:
    run = facts.run
    failed = list(_above(run, task, _is_dead(run), _has_failed(run)))
    why = f"because of {named(_how(run, one) for one in failed)}"
    if not failed:
        failed = [one for one in run.graph.order if _has_failed(run)(one)]
        why = f"because {named(_how(run, one) for one in failed)} ends the run (on_failure: end)"
    return Cause(
        kind=Kind.NOT_RUN,
        task=task,
        detail=f"is not run {why}",
        since=_last_end(run, failed),
        remedy=_recover(facts),
    )


def _is_dead(run: WorkflowInstance) -> Callable[[str], bool]:
    return lambda name: run.nodes[name].outcome in (Outcome.FAILED, Outcome.NOT_RUN)


def _has_failed(run: WorkflowInstance) -> Callable[[str], bool]:
    return lambda name: run.nodes[name].outcome is Outcome.FAILED


def _how(run: WorkflowInstance, task: str) -> str:
    attempt = run.attempts[task]
    return f"{task} ({attempt.state}" + (f": {attempt.reason})" if attempt.reason else ")")


def _recover(facts: Facts) -> str:
    command = f"orchestrator runs recover {facts.number}"
    return command if facts.run.head.state in WORKFLOW_FINAL else f"when the run has ended: {command}"


def _skipped(facts: Facts, attempt: TaskInstance) -> Cause:
    run, task = facts.run, attempt.task
    skipped = [task, *_above(run, task, _is_skipped(run), _is_skipped(run))]
    choices = dict.fromkeys(choice for one in skipped for choice in _choices(run, one))
    why = named(choices) if choices else "nothing that it waits for failed (trigger: one_failed)"
    return Cause(kind=Kind.SKIPPED, task=task, detail=f"was skipped: {why}", since=attempt.ended_at)


def _is_skipped(run: WorkflowInstance) -> Callable[[str], bool]:
    return lambda name: run.nodes[name].outcome is Outcome.SKIPPED


def _choices(run: WorkflowInstance, task: str) -> Iterator[str]:
    """Yield the decisions of switches and conditions right above a task that left it out."""
    for name in run.graph.upstream[task]:
        attempt, outcome = run.attempts.get(name), run.nodes[name].outcome
        if attempt is None or outcome is None or attempt.taken is None:
            continue
        if edge_outcome(run.graph.gates, name, task, outcome, attempt.taken) is Outcome.SKIPPED:
            yield f"{name} chose {named(attempt.taken) or 'nothing'}"
