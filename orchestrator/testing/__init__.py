"""For users' unit tests: a workflow runs in one process, without servers, on the real core, loop and store.

Python callables are called for real, with secrets as they are written (`secret://name`). Shell scripts, sql and
http tasks, and whatever is named in `outputs` or `fail`, are not. Time is simulated: a retry after an hour takes
no time. What a dependent task waits for has always been done.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from orchestrator.authoring.calls import without_callers
from orchestrator.authoring.decorators import Workflow
from orchestrator.authoring.load import load_file, load_with_called
from orchestrator.authoring.names import did_you_mean
from orchestrator.core import secrets
from orchestrator.core.deferral import Defer
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.core.elements import group_of
from orchestrator.core.order import Order
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.core.types import type_of
from orchestrator.errors import UserError
from orchestrator.service.parameters import parameters_from_values
from orchestrator.store.queries import Queries
from orchestrator.testing.history import EverythingDone
from orchestrator.testing.rig import Rig
from orchestrator.testing.worker import Ending
from orchestrator.worker.executors.port import TaskFailure, UnknownCallable
from orchestrator.worker.executors.python import find_callable, one_line
from orchestrator.worker.outputs import from_result

__all__ = ["TestRun", "run"]

SLOTS_OF_A_POOL = 1000
"""In a test no pool is made by anybody, and none is to hold anything up."""

Failure = type[BaseException] | BaseException
Failures = Failure | Sequence[Failure | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TestRun:
    """How a run in a test ended.

    Attributes:
        state: Of the run.
        states: Of the last attempt of each task that had one.
        outputs: Of each task that succeeded.
        attempts: How many attempts each task had.
        reasons: Why, of each task whose last attempt failed.
        reason: Why the run failed, if it did.
    """

    __test__ = False

    state: WorkflowState
    states: Mapping[str, TaskState]
    outputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    attempts: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None


def run(
    workflow: Any,
    *,
    params: Mapping[str, Any] | None = None,
    fail: Mapping[str, Failures] | None = None,
    outputs: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> TestRun:
    """Run a workflow to its end in this process.

    Args:
        workflow: A `@workflow` function, a `WorkflowDefinition`, or the path of a file that holds one workflow and
            those that it calls. Their tasks run, too.
        params: Start parameters.
        fail: Task name to the exception it fails with: always, or, as a list, attempt by attempt (`None` is a
            success).
        outputs: Task name to what it succeeds with, without being run: a map of outputs, or any value that its
            function could return (`3` is the output `result`). Here and in `fail`, the name of a task with `map`
            speaks of each of its elements, `load[2]` of one.
        seed: Of everything random (jitter).

    Returns:
        States and outputs.

    Raises:
        DefinitionError: The workflow is wrong.
        UserError: It is no workflow, or a file with several; `fail` or `outputs` names no task of them, `params`
            what it does not declare, or `fail` holds what is no exception.
    """
    definition, *called = _definitions_of(workflow)
    _check_names(definition, called, fail=fail or {}, outputs=outputs or {})
    _check_failures(fail or {})
    parameters = parameters_from_values(definition, params or {})
    with _silence():
        rig = Rig(behaviour=_Script(fail or {}, outputs or {}), seed=seed, history=EverythingDone())
        for pool in sorted({task.pool for one in (definition, *called) for task in one.tasks if task.pool}):
            rig.pools.set(pool, SLOTS_OF_A_POOL)
        for one in called:
            rig.deploy(one)
        number = rig.submit(definition, parameters)
        rig.run(number)
        return _result(rig, number)


def _check_names(
    definition: WorkflowDefinition, called: Sequence[WorkflowDefinition], **given: Mapping[str, Any]
) -> None:
    known = [task.name for one in (definition, *called) for task in one.tasks]
    for argument, value in given.items():
        if not isinstance(value, Mapping):
            raise UserError(f"{argument}: must be a map from task names, not {type_of(value)}")
    faults = [
        f"{argument}: '{definition.name}' has no task '{name}'{did_you_mean(name, known)}"
        for argument, names in given.items()
        for name in names
        if (group_of(name) or name) not in known
    ]
    if faults:
        raise UserError("\n".join(faults))


def _check_failures(fail: Mapping[str, Any]) -> None:
    faults = [
        f"fail: '{name}' is to fail with {failure!r}, which is no exception; write ValueError, ValueError('why'),"
        " or a list of them, one for each attempt (None is a success)"
        for name, failures in fail.items()
        for failure in (failures if isinstance(failures, list | tuple) else [failures])
        if not _is_failure(failure)
    ]
    if faults:
        raise UserError("\n".join(faults))


def _is_failure(value: Any) -> bool:
    if isinstance(value, type):
        return issubclass(value, BaseException)
    return value is None or isinstance(value, BaseException)


@contextmanager
def _silence() -> Iterator[None]:
    """Keep the log lines of this project out of a test's output, unless the test has configured logging itself."""
    if structlog.is_configured():
        yield
        return
    structlog.configure(logger_factory=_logger)
    try:
        yield
    finally:
        structlog.reset_defaults()


def _logger(*names: str) -> Any:
    """Return a logger that says nothing for this project's modules, an ordinary one for the user's."""
    ours = bool(names) and names[0].partition(".")[0] == "orchestrator"
    return structlog.testing.ReturnLogger() if ours else structlog.PrintLogger()


def _definitions_of(workflow: Any) -> list[WorkflowDefinition]:
    """Return the workflow to be tested, and behind it those that it may call."""
    match workflow:
        case WorkflowDefinition():
            return [workflow]
        case str() | Path():
            found = load_file(workflow)
            about = without_callers(found)
            if len(about) != 1:
                raise UserError(f"{workflow}: holds {len(about)} workflows; pass the one to be tested")
            return [*about, *(one for one in found if one is not about[0])]
        case Workflow():
            return load_with_called(workflow)
        case _:
            raise UserError(f"a workflow is a @workflow function, a definition or a path, not {workflow!r}")


class _Script:
    """What tasks do in a test."""

    def __init__(self, fail: Mapping[str, Failures], outputs: Mapping[str, Any]) -> None:
        self._fail = fail
        self._outputs = outputs

    def __call__(self, order: Order, /) -> Ending:
        """Fail or succeed as told, else call the task's own callable."""
        failure = _failure_of(_told(self._fail, order.task), order.attempt)
        if failure is not None:
            return _failed(failure)
        given = _told(self._outputs, order.task, _NOTHING)
        if given is not _NOTHING:
            return _given(order, given)
        if order.type == "python" and order.spec.get("call"):
            return _call(order)
        return Ending()


_NOTHING = object()


def _told(said: Mapping[str, Any], task: str, default: Any = None) -> Any:
    """Return what was said of a task; of an element of a map, what was said of it or else of the whole map."""
    return said.get(task, said.get(group_of(task) or task, default))


def _failure_of(failures: Failures | None, attempt: int) -> Failure | None:
    if failures is None or isinstance(failures, BaseException | type):
        return failures
    return failures[attempt - 1] if attempt <= len(failures) else None


def _failed(failure: Failure) -> Ending:
    kind = failure if isinstance(failure, type) else type(failure)
    text = "" if isinstance(failure, type) else f": {failure}"
    return Ending(error=kind.__name__, reason=f"{kind.__name__}{text}")


def _given(order: Order, result: Any) -> Ending:
    """End as if the task's own callable had returned `result`."""
    try:
        return Ending(outputs=from_result(result, order.outputs))
    except TaskFailure as failure:
        return Ending(error=failure.error, reason=failure.reason)


def _call(order: Order) -> Ending:
    """Call a task's own callable, as a worker does."""
    try:
        function = find_callable(str(order.spec["call"]), None)
        arguments = secrets.unmark(order.params, order.ticket)
        return Ending(outputs=from_result(function(**arguments), order.outputs))
    except Defer:
        raise
    except (TaskFailure, UnknownCallable) as failure:
        return Ending(error=getattr(failure, "error", type(failure).__name__), reason=str(failure))
    except Exception as error:  # noqa: BLE001  whatever a user's function raises is its failure
        return Ending(error=type(error).__name__, reason=one_line(error))


def _result(rig: Rig, number: int) -> TestRun:
    """Return how the run ended, as the database has it."""
    document = Queries(rig.engine).run(number)
    attempts = document["tasks"]
    current = [attempt for attempt in attempts if attempt["current"]]
    return TestRun(
        state=WorkflowState(document["state"]),
        states={attempt["name"]: TaskState(attempt["state"]) for attempt in current},
        outputs={attempt["name"]: attempt["outputs"] for attempt in current if attempt["state"] == "SUCCESS"},
        attempts={attempt["name"]: attempt["attempt"] for attempt in current},
        reasons={attempt["name"]: attempt["reason"] for attempt in current if attempt["reason"]},
        reason=document["reason"],
    )
