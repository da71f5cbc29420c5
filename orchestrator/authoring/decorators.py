"""Owns writing workflows in Python: `@task`, `@workflow`, `shell`, …; light, since workers import it too.

Calling a task inside a `@workflow` function notes a node and gives a `Result`; outside it is the function.
"""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from importlib import import_module
from pathlib import Path
from types import CodeType
from typing import Any, overload

from orchestrator.authoring.modules import import_path
from orchestrator.authoring.results import ParameterHandle, Result, data_edges, written
from orchestrator.authoring.trace import Trace, current_trace
from orchestrator.core.callables import why_no_task
from orchestrator.core.definition import WorkflowDefinition

_TYPES = {
    str: "string",
    int: "integer",
    float: "float",
    bool: "boolean",
    date: "date",
    list: "list",
    dict: "map",
}
KEY = "idempotency_key"
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Task:
    """A function as a task. `function` is the plain function.

    Args:
        function: A function at the top level of a module; it gets its arguments by keyword.
        fields: Fields of the task as in YAML (`retries`, `timeout`, …); `name` defaults to the function's.

    Raises:
        TypeError: It is an async function or a generator, or has an argument `needs`.
    """

    __name__: str

    def __init__(self, function: Callable[..., Any], fields: Mapping[str, Any]) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.fields = dict(fields)
        self.name: str = self.fields.pop("name", None) or function.__name__
        self.signature = inspect.signature(function)
        if (reason := why_no_task(function)) is not None:
            raise TypeError(f"{self.name}: {reason}")
        if "needs" in self.signature.parameters:
            raise TypeError(
                f"{self.name}: an argument cannot be called 'needs'; load(…, needs=[…]) adds edges"
            )

    def __call__(self, *args: Any, needs: Sequence[Result] = (), **kwargs: Any) -> Any:
        """Note the call as a task inside a `@workflow` function; outside call the plain function."""
        trace = current_trace()
        if trace is None:
            return self.function(*args, **kwargs)
        params = dict(self.signature.bind(*args, **kwargs).arguments)
        return trace.add(self.name, self._fields(params, needs))

    def map(
        self, items: Any, *, needs: Sequence[Result] = (), max_parallel: int | None = None, **fixed: Any
    ) -> Any:
        """Note one task instance per element of `items`; outside a `@workflow` function call it for each.

        Args:
            items: A result, a workflow parameter or a list; the function's first argument gets the element.
            needs: More upstream tasks.
            max_parallel: Most elements at the same time.
            fixed: The other arguments, by name.
        """
        trace = current_trace()
        if trace is None:
            return [self.function(item, **fixed) for item in items]
        first, element = next(iter(self.signature.parameters)), self.fields.get("map_as", "item")
        bound = dict(self.signature.bind(**{first: f"${{{element}}}"}, **fixed).arguments)
        fields = self._fields(bound, needs, also=items) | {"map": written(items)}
        if max_parallel is not None:
            fields["max_parallel"] = max_parallel
        return trace.add(self.name, fields)

    def with_options(self, **fields: Any) -> "Task":
        """Return the same task with other fields, `name` for instance."""
        return Task(self.function, {"name": self.name, **self.fields, **fields})

    def _fields(self, params: Mapping[str, Any], needs: Sequence[Result], also: Any = None) -> dict[str, Any]:
        if any(one.kind not in _BY_NAME for one in self.signature.parameters.values()):
            raise TypeError(
                f"{self.name}: a task takes arguments by name only: no *, ** and / in its signature"
            )
        edges = data_edges([params, also], needs)
        call = import_path(self.function)
        return {"type": "python", "call": call, "needs": edges, "params": written(params), **self.fields}


class Workflow:
    """A function that says how tasks depend on each other. It is called once, with handles, to be drawn.

    Args:
        function: Its arguments are the workflow's parameters, its defaults theirs.
        fields: Fields of the workflow as in YAML; `schedule` is short for one schedule with that cron.

    Attributes:
        called: The workflows that it calls, known once it was drawn.
    """

    def __init__(self, function: Callable[..., Any], fields: Mapping[str, Any]) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.fields = dict(fields)
        self.called: tuple[Workflow, ...] = ()
        self.name: str = self.fields.pop("name", None) or function.__name__
        if why_no_task(function) is not None:
            raise TypeError(
                f"{self.name}: a @workflow function is called once, to be drawn; write `def`, without `yield`"
            )

    def __call__(self, *, needs: Sequence[Result] = (), **params: Any) -> Result:
        """Note the workflow as a sub-workflow of the one that is being drawn."""
        trace = current_trace()
        if trace is None:
            raise TypeError(f"call {self.name}.submit(…) or {self.name}.run(…)")
        trace.called.append(self)
        edges = data_edges(params, needs)
        fields = {"type": "sub_workflow", "workflow": self.name, "needs": edges, "params": written(params)}
        return trace.add(self.name, fields)

    @property
    def file(self) -> Path:
        """The file that the workflow was written in."""
        code: CodeType = self.function.__code__
        return Path(code.co_filename)

    def document(self) -> Mapping[str, Any]:
        """Return the workflow as the YAML language would write it, with the lines of its calls.

        Raises:
            TypeError: The function used a result in a way that is known only when the workflow runs.
        """
        parameters = inspect.signature(self.function).parameters
        trace = Trace(line=self.function.__code__.co_firstlineno)
        with trace:
            self.function(**{name: ParameterHandle(name) for name in parameters})
        self.called = tuple(trace.called)
        fields = dict(self.fields)
        if cron := fields.pop("schedule", None):
            fields["schedules"] = [{"cron": cron}]
        declared = {name: _declared(one, self.function) for name, one in parameters.items()}
        return trace.document({"name": self.name, "params": declared, **fields})

    def definition(self) -> WorkflowDefinition:
        """Return the checked definition.

        Raises:
            DefinitionError: It has faults; all are listed.
        """
        definition: WorkflowDefinition = import_module("orchestrator.authoring.load").load_workflow(self)
        return definition

    def definitions(self) -> list[WorkflowDefinition]:
        """Return the checked definition, and behind it those of all workflows that it calls, directly or not.

        Raises:
            DefinitionError: They have faults; all are listed.
        """
        found: list[WorkflowDefinition] = import_module("orchestrator.authoring.load").load_with_called(self)
        return found

    def submit(self, *, idempotency_key: str | None = None, **params: Any) -> Any:
        """Hand the workflow to a running master; return a handle with `id`, `wait()`, `state`, `outputs`.

        Warns (`RuntimeWarning`) if no master is running: the run waits for one.

        Args:
            idempotency_key: Under a key that was used before, the handle is that of the run that is there. A
                workflow that has a parameter of this name gets it, and takes no key here.
            params: Start parameters.

        Raises:
            UserError: The definition or a parameter is wrong, or the key is no text.
            Conflict: The key was used for another workflow, or with other parameters.
        """
        if idempotency_key is not None and KEY in inspect.signature(self.function).parameters:
            params[KEY], idempotency_key = idempotency_key, None
        return import_module("orchestrator.client").submit(self.definitions(), params, idempotency_key)

    def run(self, **params: Any) -> Any:
        """Run the workflow to its end, here, and show it as `orchestrator run` does; return its handle.

        Raises:
            UserError: The definition or a parameter is wrong.
            KeyboardInterrupt: Ctrl-C was pressed; the run was stopped.
        """
        return import_module("orchestrator.client").run(self.definitions(), params)


@overload
def task(function: Callable[..., Any], /) -> Task: ...
@overload
def task(**fields: Any) -> Callable[[Callable[..., Any]], Task]: ...
def task(function: Callable[..., Any] | None = None, /, **fields: Any) -> Any:
    """Make a function a task: `@task` or `@task(retries=3, retry_delay=10, …)`, fields as in YAML."""
    if function is not None:
        return Task(function, fields)
    return lambda decorated: Task(decorated, fields)


@overload
def workflow(function: Callable[..., Any], /) -> Workflow: ...
@overload
def workflow(**fields: Any) -> Callable[[Callable[..., Any]], Workflow]: ...
def workflow(function: Callable[..., Any] | None = None, /, **fields: Any) -> Any:
    """Make a function a workflow: `@workflow` or `@workflow(schedule="0 2 * * *", …)`, fields as in YAML."""
    if function is not None:
        return Workflow(function, fields)
    return lambda decorated: Workflow(decorated, fields)


def node(type: str, name: str, *, needs: Sequence[Result] = (), **fields: Any) -> Result:  # noqa: A002 - the language's word
    """Note a task of any type, fields as in YAML, inside a `@workflow` function.

    Args:
        type: The task type.
        name: The task's name.
        needs: Upstream tasks beside those whose results stand in `fields`.
        fields: The task's fields; results and parameters may stand anywhere in them.

    Raises:
        TypeError: It was called outside a `@workflow` function.
    """
    trace = current_trace()
    if trace is None:
        raise TypeError(f"{type}('{name}', …) belongs into a @workflow function")
    return trace.add(name, {"type": type, "needs": data_edges(fields, needs), **written(fields)})


def shell(name: str, run: str, *, needs: Sequence[Result] = (), **fields: Any) -> Result:
    """Note a shell task: `shell("report", 'echo "$n"', params={"n": loaded}, needs=[loaded])`."""
    return node("shell", name, needs=needs, run=run, **fields)


def python(name: str, script: str, *, needs: Sequence[Result] = (), **fields: Any) -> Result:
    """Note an inline Python script that runs in a process of its own."""
    return node("python", name, needs=needs, script=script, **fields)


def noop(name: str, *, needs: Sequence[Result] = (), **fields: Any) -> Result:
    """Note a task that does nothing: a point where edges meet."""
    return node("noop", name, needs=needs, **fields)


def _declared(parameter: inspect.Parameter, function: Callable[..., Any]) -> dict[str, Any]:
    declared: dict[str, Any] = {}
    hints = inspect.get_annotations(function)
    hint = hints.get(parameter.name)
    hint = {one.__name__: one for one in _TYPES}.get(hint, hint) if isinstance(hint, str) else hint
    if (kind := _TYPES.get(getattr(hint, "__origin__", hint))) is not None:  # type: ignore[arg-type] # any object may be asked for
        declared["type"] = kind
    if parameter.default is inspect.Parameter.empty:
        declared["required"] = True
    else:
        declared["default"] = parameter.default
    return declared
