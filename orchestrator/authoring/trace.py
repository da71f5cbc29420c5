"""Owns the drawing of one workflow: the calls that its function makes, in order, with their lines."""

import inspect
from collections.abc import Mapping
from contextvars import ContextVar, Token
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from orchestrator.authoring.results import Result

_CURRENT: ContextVar["Trace | None"] = ContextVar("workflow_trace", default=None)
_OWN_DIRECTORY = str(Path(__file__).parent)


class Trace:
    """Collects tasks while the workflow's function runs inside `with trace:`.

    Args:
        line: Line where the workflow's function begins.

    Attributes:
        called: The workflows that it calls, in order, a second call again.
    """

    def __init__(self, line: int) -> None:
        self._line = line
        self._tasks: list[dict[str, Any]] = []
        self._lines: list[int] = []
        self._names: dict[str, int] = {}
        self.called: list[Any] = []
        self._token: Token[Trace | None] | None = None

    def __enter__(self) -> Self:
        """Become the trace that calls of tasks are noted in."""
        if _CURRENT.get() is not None:
            raise TypeError("a @workflow function cannot be drawn inside another one")
        self._token = _CURRENT.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop noting calls."""
        if self._token is not None:
            _CURRENT.reset(self._token)

    def add(self, name: str, fields: Mapping[str, Any]) -> Result:
        """Note a task; a name that stands already gets a number: the second `load` is `load_2`."""
        self._names[name] = count = self._names.get(name, 0) + 1
        unique = name if count == 1 else f"{name}_{count}"
        self._tasks.append({"name": unique, **fields})
        self._lines.append(_caller_line())
        return Result(unique)

    def document(self, workflow: Mapping[str, Any]) -> dict[str, Any]:
        """Return the document of the YAML language; `lines` holds the workflow's and each task's."""
        return {"workflow": dict(workflow), "tasks": self._tasks, "lines": [self._line, *self._lines]}


def current_trace() -> Trace | None:
    """Return the trace of the workflow that is being drawn here, if one is."""
    return _CURRENT.get()


def _caller_line() -> int:
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(_OWN_DIRECTORY):
        frame = frame.f_back
    return frame.f_lineno if frame is not None else 0
