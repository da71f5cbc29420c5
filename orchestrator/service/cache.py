"""Owns the use case of clearing the cache: forgetting outputs, so that tasks are run again."""

from typing import Any

from orchestrator.authoring.names import which
from orchestrator.errors import NotFound
from orchestrator.service.ages import age_s
from orchestrator.service.backend import Backend
from orchestrator.service.finding import find


def clear(backend: Backend, workflow: str | None, task: str | None, older_than: str | None) -> dict[str, Any]:
    """Forget kept outputs; say how many.

    Args:
        backend: The services.
        workflow: Only of this workflow; `None`: of all.
        task: Only of this task of it.
        older_than: Only what was kept for longer: `12h`, `7d`.

    Raises:
        NotFound: There is no such workflow, or it has no such task.
        UserError: The age is no duration.
    """
    older_than_s = age_s("--older-than", older_than) if older_than is not None else None
    if workflow is not None:
        _check(backend, workflow, task)
    cleared = backend.cache.clear(workflow, task, older_than_s=older_than_s)
    return {"cleared": cleared}


def _check(backend: Backend, workflow: str, task: str | None) -> None:
    """Return if these names mean something: a misspelt one must not look like an empty cache."""
    names = [one.name for one in find(backend, workflow, None).definition.tasks]
    if task is not None and task not in names and not backend.cache.count(workflow, task):
        raise NotFound(f"workflow '{workflow}' has no task '{task}'{which(task, names)}")
