"""Owns running a Python file for its `@workflow` objects; whatever goes wrong in it is a fault with its line."""

import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from orchestrator.authoring.decorators import Workflow
from orchestrator.authoring.modules import module_of
from orchestrator.errors import DefinitionError, Fault


def workflows_in(file: Path) -> list[Workflow]:
    """Return the workflows that `file` defines, in the order of the file; imported ones are not its own.

    Its directory stays on the import path, as it is for a script, since its tasks may import from there later.

    Raises:
        DefinitionError: The file cannot be run.
    """
    root, name = module_of(file)
    module = _run(file, root, name)
    found = {id(one): one for one in vars(module).values() if isinstance(one, Workflow)}
    own = [one for one in found.values() if one.function.__module__ == name]
    return sorted(own, key=lambda one: one.function.__code__.co_firstlineno)


def _run(file: Path, root: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None or not file.is_file():
        raise DefinitionError([Fault(message="cannot be read", file=str(file))])
    known = sys.modules.get(name)
    if known is not None and not _is_same(known, file):
        message = f"the file's name hides the module '{name}' that is in use; give it another name"
        raise DefinitionError([Fault(message=message, file=str(file))])
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        sys.modules.pop(name, None)
        raise DefinitionError([fault_of(error, file, named=str(file))]) from error
    return module


def _is_same(module: ModuleType, file: Path) -> bool:
    origin = getattr(module, "__file__", None)
    return origin is not None and Path(origin).resolve() == file.resolve()


def fault_of(error: BaseException, file: Path, *, named: str) -> Fault:
    """Return the fault that an exception of a user's file is, with the last line of that file that it passed.

    Args:
        error: The exception.
        file: The file.
        named: The file as the user named it.
    """
    there = file.resolve()
    frames = [(Path(one.filename).resolve(), one.lineno) for one in traceback.extract_tb(error.__traceback__)]
    lines = [line for passed, line in frames if passed == there]
    line = lines[-1] if lines else getattr(error, "lineno", None)
    said_by_us = bool(frames) and frames[-1][0].parent == Path(__file__).parent
    kind = "" if said_by_us else f"{type(error).__name__}: "
    return Fault(message=f"{kind}{error}", file=named, line=line)
