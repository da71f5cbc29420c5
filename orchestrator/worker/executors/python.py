"""Owns the task type `python`: a callable inside the worker's child, or a script of its own."""

import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.core.callables import why_no_task
from orchestrator.core.deferral import Defer
from orchestrator.core.order import Order
from orchestrator.worker.executors import launch
from orchestrator.worker.executors.bundled import bundled_call
from orchestrator.worker.executors.port import Finished, TaskFailure, UnknownCallable, Workplace
from orchestrator.worker.executors.script import Program, ScriptWork, source_directory
from orchestrator.worker.interrupt import Interrupted
from orchestrator.worker.outputs import from_result


class PythonExecutor:
    """Runs `call: package.module:function`, or an inline `script`."""

    def __init__(self) -> None:
        self._callables: dict[str, Callable[..., Any]] = {}

    def prepare(self, order: Order, workplace: Workplace) -> "CallWork | ScriptWork":
        """Import the callable, or start the watcher of a script, or of the program that calls it in a bundle.

        Raises:
            UnknownCallable: The callable cannot be imported here.
            TaskFailure: `call` and `script` are missing, or the callable, `cwd` or a parameter is unusable.
        """
        if order.spec.get("call") and workplace.bundle is not None:
            return bundled_call(order, workplace)
        if order.spec.get("call"):
            return CallWork(order, workplace, self._find(str(order.spec["call"]), order, workplace))
        if isinstance(order.spec.get("script"), str):
            return _script(order, workplace)
        raise TaskFailure("a python task needs `call` or `script`", error="InvalidTask")

    def _find(self, name: str, order: Order, workplace: Workplace) -> Callable[..., Any]:
        found = self._callables.get(name)
        if found is None:
            found = self._callables[name] = find_callable(name, source_directory(order, workplace))
        return found


class CallWork:
    """One call of a python callable in this process."""

    def __init__(self, order: Order, workplace: Workplace, function: Callable[..., Any]) -> None:
        self._order = order
        self._workplace = workplace
        self._function = function

    @property
    def process_group(self) -> int | None:
        """This process's group, if it leads one: a pool child does, and what the callable starts joins it."""
        own = os.getpid()
        return own if os.getpgrp() == own else None

    def run(self) -> Finished:
        """Call it with the task's own `params` as keyword arguments."""
        with self._workplace.capture(self._workplace.log):
            result = self._call()
        return Finished(outputs=from_result(result, self._order.outputs))

    def discard(self) -> None:
        """Nothing was prepared."""

    def _call(self) -> Any:
        try:
            with self._workplace.interrupts.guarding(self._order.id):
                return self._function(**self._order.params)
        except (Defer, TaskFailure):
            raise
        except Interrupted as error:
            raise TaskFailure("interrupted", error="Interrupted") from error
        except BaseException as error:
            print_traceback(error)
            raise TaskFailure(one_line(error), error=type(error).__name__) from error


def find_callable(name: str, source_dir: Path | None) -> Callable[..., Any]:
    """Return the callable `package.module:function`; one decorated with `@task` is unwrapped.

    Args:
        name: Module and function; the function may be dotted.
        source_dir: Added to the import path when the module is not found without it.

    Raises:
        UnknownCallable: It cannot be imported; the message is the import error.
        TaskFailure: It is an async function or a generator: no worker could run it.
    """
    module_name, _, path = name.partition(":")
    try:
        found: Any = _import(module_name, source_dir)
        for part in path.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as error:
        raise UnknownCallable(f"{name}: {one_line(error)}") from error
    found = getattr(found, "function", found)
    if not callable(found):
        raise UnknownCallable(f"{name}: is not callable")
    if (reason := why_no_task(found)) is not None:
        raise TaskFailure(f"{name}: {reason}", error="InvalidTask")
    function: Callable[..., Any] = found
    return function


def one_line(error: BaseException) -> str:
    """Return an exception as `Name: first line of its message`."""
    message = str(error).strip().split("\n", 1)[0][:500]
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _import(module_name: str, source_dir: Path | None) -> Any:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name is not None and (module_name + ".").startswith(error.name + ".")
        if not missing or source_dir is None or str(source_dir) in sys.path:
            raise
    importlib.invalidate_caches()
    sys.path.append(str(source_dir))
    return importlib.import_module(module_name)


def print_traceback(error: BaseException) -> None:
    """Print the user's part of the traceback, without our frame, into the attempt's log."""
    own = error.__traceback__
    theirs = own.tb_next if own is not None else None
    traceback.print_exception(type(error), error, theirs, file=sys.stderr)


def _script(order: Order, workplace: Workplace) -> ScriptWork:
    program = Program(
        interpreter=[sys.executable, launch.__file__, "{scratch}/variables"],
        files={"variables": json.dumps(dict(order.params))},
    )
    return ScriptWork(order, workplace, order.spec["script"], program)
