"""Owns the loading of CEL: its compiled module alone, without the command line and the editor of its package."""

import sys
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from types import ModuleType

PACKAGE = "cel"
COMPILED = "cel.cel"


def language() -> ModuleType:
    """Return the module that compiles expressions; the first call loads it.

    The package imports a program for terminals before anything else, fifteen times what the language takes. Under
    its own name the compiled module is also what the package finds, should anybody import that later.
    """
    return sys.modules.get(COMPILED) or _load()


def _load() -> ModuleType:
    package = find_spec(PACKAGE)
    found = (
        PathFinder.find_spec(COMPILED, package.submodule_search_locations) if package is not None else None
    )
    if found is None or found.loader is None:
        return import_module(PACKAGE)  # laid out in another way: its own word counts
    module = module_from_spec(found)
    sys.modules[COMPILED] = module
    found.loader.exec_module(module)
    return module
