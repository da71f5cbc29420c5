"""Owns the choice of the executor for a task type."""

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

from celery import Celery

from orchestrator.core.order import EXECUTOR_GROUP
from orchestrator.errors import OrchestratorError
from orchestrator.worker.executors.celery_task import CeleryExecutor
from orchestrator.worker.executors.noop import NoopExecutor
from orchestrator.worker.executors.port import Executor
from orchestrator.worker.executors.python import PythonExecutor
from orchestrator.worker.executors.shell import ShellExecutor
from orchestrator.worker.executors.sql import SqlExecutor

LATE = {"http": "orchestrator.worker.executors.http:HttpExecutor"}
"""Our own types that are imported at first use: what they need takes long to import."""


class UnknownType(OrchestratorError):
    """No executor for this task type is installed here."""


class ExecutorRegistry:
    """Finds executors by task type; one that is not ours is loaded from its entry point at first use.

    Args:
        executors: Executors by type, known from the start.
    """

    def __init__(self, executors: Mapping[str, Executor]) -> None:
        self._executors = dict(executors)

    def find(self, task_type: str) -> Executor:
        """Return the executor of `task_type`.

        Raises:
            UnknownType: There is none, or it cannot be imported; the message says which.
        """
        executor = self._executors.get(task_type)
        if executor is None:
            executor = self._executors[task_type] = _load(task_type)
        return executor


def builtin_registry(app: Celery) -> ExecutorRegistry:
    """Return a registry of the types that come with the package and of those that entry points add.

    Args:
        app: The worker's application; `celery` nodes call its tasks.
    """
    return ExecutorRegistry(
        {
            "celery": CeleryExecutor(app),
            "noop": NoopExecutor(),
            "python": PythonExecutor(),
            "shell": ShellExecutor(),
            "sql": SqlExecutor(),
        }
    )


def _load(task_type: str) -> Executor:
    late = [EntryPoint(task_type, LATE[task_type], EXECUTOR_GROUP)] if task_type in LATE else []
    for entry in late or entry_points(group=EXECUTOR_GROUP, name=task_type):
        try:
            executor: Executor = entry.load()()
        except Exception as error:
            raise UnknownType(f"{entry.value}: {type(error).__name__}: {error}") from error
        return executor
    raise UnknownType(f"no executor for task type '{task_type}' is installed here")
