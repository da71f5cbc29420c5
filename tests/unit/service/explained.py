"""Owns builders of facts for the tests of `explain`: a run that runs, a master that lives, one idle worker."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from orchestrator.core.definition import TaskDefinition
from orchestrator.core.instance import TaskInstance
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.service.explaining.causes import Cause, iso
from orchestrator.service.explaining.deciding import causes_of_run, causes_of_task
from orchestrator.service.explaining.facts import Facts, Fleet, Worker
from orchestrator.store.evidence import Evidence
from tests.builders import NOW, a_definition, a_head, an_attempt, loaded


def ago(seconds: float) -> datetime:
    """Return the time so many seconds before NOW."""
    return NOW - timedelta(seconds=seconds)


def after(seconds: float) -> datetime:
    """Return the time so many seconds after NOW."""
    return NOW + timedelta(seconds=seconds)


def a_worker(name: str = "w1", **fields: Any) -> Worker:
    """Return a worker of the group `default` that was heard of just now."""
    values = {"name": name, "incarnation": f"{name}-1", "groups": ("default",), "capacity": 4, "seen": ago(2)}
    return Worker(**{**values, **fields})


def some_facts(
    *tasks: TaskDefinition,
    attempts: Iterable[TaskInstance] = (),
    head: dict[str, Any] | None = None,
    evidence: dict[str, Any] | None = None,
    fleet: dict[str, Any] | None = None,
    **fields: Any,
) -> Facts:
    """Return the facts of a run that is RUNNING since a minute.

    Args:
        tasks: Of the workflow; by default one, `a`.
        attempts: The current ones.
        head: Other fields of the run.
        evidence: Other things the database knows.
        fleet: Other things Redis knows.
        fields: Other fields of the facts.
    """
    definition = a_definition(*tasks)
    values = {"state": WorkflowState.RUNNING, "started_at": ago(60), "submitted_at": ago(61), **(head or {})}
    return Facts(
        run=loaded(definition, a_head(definition, **values), attempts),
        evidence=Evidence(**{"now": NOW, "coordinator": "m1", "others": ("m1",), **(evidence or {})}),
        **{"fleet": Fleet(**{"workers": (a_worker(),), **(fleet or {})}), **fields},
    )


def submitted_facts(**evidence: Any) -> Facts:
    """Return the facts of a run that was submitted and has not started."""
    head = {"state": WorkflowState.SUBMITTED, "started_at": None}
    return some_facts(head=head, evidence=evidence)


def running(task: str = "a", **fields: Any) -> TaskInstance:
    """Return an attempt that runs on w1 since half a minute."""
    values = {"worker": "w1", "incarnation": "w1-1", "started_at": ago(30), "state": TaskState.RUNNING}
    return an_attempt(task, **{**values, **fields})


def ended(task: str, state: TaskState, **fields: Any) -> TaskInstance:
    """Return an attempt that began half a minute ago and ended ten seconds ago."""
    return an_attempt(task, **{"state": state, "started_at": ago(30), "ended_at": ago(10), **fields})


def said(causes: Iterable[Cause]) -> list[str]:
    """Return the causes as `task kind: sentence`, those of the whole run without a task."""
    return [
        f"{cause.task} {cause.kind}: {cause.sentence(iso)}"
        if cause.task
        else f"{cause.kind}: {cause.sentence(iso)}"
        for cause in causes
    ]


def first(facts: Facts, task: str | None = None) -> Cause:
    """Return the most decisive cause of a run, or of one of its tasks."""
    return (causes_of_run(facts) if task is None else causes_of_task(facts, task))[0]


def without_redis(facts: Facts) -> Facts:
    """Return the facts as they are when Redis does not answer."""
    return replace(facts, fleet=None, redis_fault="connection refused")
