"""Owns what workers that gave an attempt back have to do with it: what they lack, and who could have it."""

from orchestrator.core.instance import TaskInstance
from orchestrator.service.explaining.causes import Cause, Kind
from orchestrator.service.explaining.facts import Facts, Worker

CELERY = "celery"
UNKNOWN_CALLABLE = "unknown_callable"
NO_APPLICATION = "celery -A YOUR_APPLICATION worker"


def rejected(facts: Facts, attempt: TaskInstance) -> Cause:
    """Return who gave an attempt back that waits, why, and what would have it taken."""
    worker, reason = _last(attempt)
    times = len(attempt.rejected_by)
    often = f", {times} times in all" if times > 1 else ""
    waits = "; it waits" if attempt.due_at else ""
    return Cause(
        kind=Kind.REJECTED,
        task=attempt.task,
        detail=f"was given back by {worker} ({reason}){often}{waits}",
        until=attempt.due_at,
        remedy=_against(facts, attempt),
    )


def after_rejects(facts: Facts, attempt: TaskInstance) -> str:
    """Return what would have an attempt taken that failed because nobody could run it, or nothing if unknown."""
    _, reason = _last(attempt)
    return _what_it_needs(facts, attempt) if reason == UNKNOWN_CALLABLE else ""


def _last(attempt: TaskInstance) -> tuple[str, str]:
    worker, _, reason = attempt.rejected_by[-1].partition(" ")
    return worker, reason


def _against(facts: Facts, attempt: TaskInstance) -> str:
    worker, reason = _last(attempt)
    if reason == "draining":
        return f"orchestrator workers resume {worker}"
    if reason == "overload":
        return _start(facts, attempt)
    if reason == "unknown_bundle":
        return f"put the bundle where {worker} looks for it (ORCHESTRATOR_BUNDLES there)"
    return _what_it_needs(facts, attempt)


def _what_it_needs(facts: Facts, attempt: TaskInstance) -> str:
    """Say which worker lacks what the task calls; who rejected it may be gone: `run` ends its own workers."""
    worker, _ = _last(attempt)
    if attempt.type == CELERY:
        return _application(facts, attempt)
    if _lives(facts, worker):
        return f"install what the task needs where {worker} runs, and start that worker again"
    return f"start a worker where what the task needs is installed: {_start(facts, attempt)}"


def _application(facts: Facts, attempt: TaskInstance) -> str:
    """Say what the application's workers lack: one of ours is not expected to know its tasks."""
    if NO_APPLICATION in (attempt.reason or ""):
        return ""  # the reason says what to start
    worker, _ = _last(attempt)
    group, call = facts.group(attempt.task), str(facts.run.graph.tasks[attempt.task].spec.get("call"))
    able = [one for one in _living(facts) if call in one.tasks]
    if any(group in one.groups for one in able):
        return ""
    if able:
        has = f"{able[0].name} has {call} and consumes {', '.join(able[0].groups)}"
        return f"{has}: have it consume {group}, too, or change the task's queue"
    if any(one.name == worker and one.tasks for one in _living(facts)):
        return f"register {call} in the application of {worker}, and start that worker again"
    return f"start the application's own worker with the masters' Redis: {NO_APPLICATION} -Q {group}"


def _start(facts: Facts, attempt: TaskInstance) -> str:
    return f"orchestrator worker --group {facts.group(attempt.task)}"


def _lives(facts: Facts, name: str) -> bool:
    """Return whether a worker is there to be mended; without Redis nothing says that it is not."""
    return facts.fleet is None or any(one.name == name for one in _living(facts))


def _living(facts: Facts) -> list[Worker]:
    return [one for one in facts.fleet.workers if not one.is_lost] if facts.fleet else []
