"""Owns where a callable is found again: `module:function`, also for what was started as a script."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def import_path(function: Callable[..., Any]) -> str:
    """Return `module:function`, under which a worker can import the function.

    Raises:
        TypeError: The function does not stand at the top level of a module.
    """
    name = function.__qualname__
    if not all(part.isidentifier() for part in name.split(".")):
        raise TypeError(f"{name} cannot be imported; a task is a function at the top level of a module")
    return f"{_real_module(function)}:{name}"


def module_of(file: Path) -> tuple[Path, str]:
    """Return the directory that must be on the import path for `file`, and its module name from there."""
    file = file.resolve()
    parts = [] if file.name == "__init__.py" else [file.stem]
    root = file.parent
    while (root / "__init__.py").is_file() and root.parent != root:
        parts.insert(0, root.name)
        root = root.parent
    return root, ".".join(parts)


def _real_module(function: Callable[..., Any]) -> str:
    """Translate `__main__`, which means another module on a worker, to the name of the script's module."""
    if function.__module__ != "__main__":
        return function.__module__
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:  # python -m package.module
        return str(spec.name)
    return module_of(Path(function.__code__.co_filename))[1]
