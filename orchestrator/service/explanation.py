"""Owns the use case "explain": why a run, or one of its tasks, does not run. It only reads."""

from orchestrator.authoring.names import which
from orchestrator.core.elements import group_of
from orchestrator.errors import NotFound, StoreUnavailable
from orchestrator.service.backend import Backend
from orchestrator.service.explaining.causes import Cause, Kind
from orchestrator.service.explaining.deciding import causes_of_run, causes_of_task
from orchestrator.service.explaining.facts import Facts
from orchestrator.service.explaining.gathering import gather
from orchestrator.service.explaining.map_causes import elements_named


def explain(backend: Backend, workflow_instance_id: int, task: str | None = None) -> list[Cause]:
    """Return why a run does not go on, the most decisive cause first; never empty.

    Args:
        backend: The services.
        workflow_instance_id: The run.
        task: One of its tasks: what holds this one back; `None`: the run, and all of its tasks that are not done.

    Raises:
        NotFound: There is no such run, or its workflow has no such task.
    """
    try:
        facts = gather(backend, workflow_instance_id)
    except StoreUnavailable as error:
        return [_database_away(error)]
    if task is None:
        return causes_of_run(facts)
    _check(facts, task)
    return causes_of_task(facts, task)


def _check(facts: Facts, task: str) -> None:
    known = [*facts.run.graph.order, *facts.outside]
    if task not in known and task not in elements_named(facts, group_of(task) or ""):
        raise NotFound(
            f"run {facts.number} of '{facts.run.head.workflow}' has no task '{task}'{which(task, known)}"
        )


def _database_away(error: StoreUnavailable) -> Cause:
    return Cause(
        kind=Kind.DATABASE_AWAY,
        detail=f"the database does not answer, so nothing goes on, and nothing is known of the run: {error}",
        remedy="start the database, or correct ORCHESTRATOR_DATABASE_URL",
    )
