"""Owns what a relative path in a setting means: a place seen from where the program was started."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from orchestrator.setting_faults import variable

PATHS = ("home", "source_dir", "bundles", "secrets_dir")
CONNECTIONS = variable("connection_")
_SQLITE = re.compile(r"(sqlite(?:\+\w+)?:///)(.+)", re.DOTALL)
_NO_RELATIVE_FILES = ("/", ":memory:", "file:")


def absolute(path: str | Path) -> Path:
    """Return a path from the root, `~` replaced."""
    return Path(path).expanduser().absolute()


def absolute_database(url: str) -> str:
    """Return a database URL, that of a SQLite file with its path from the root."""
    found = _SQLITE.fullmatch(url)
    if found is None or found[2].startswith(_NO_RELATIVE_FILES):
        return url
    return f"{found[1]}{absolute(found[2])}"


def for_children(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment whose relative paths mean the same in a program that works elsewhere.

    Args:
        environment: That of this program, or what is to be added to it.
    """
    settled = dict(environment)
    for name in map(variable, PATHS):
        if text := settled.get(name, "").strip():
            settled[name] = str(absolute(text))
    for name in [variable("database_url"), *(one for one in settled if one.startswith(CONNECTIONS))]:
        if url := settled.get(name, "").strip():
            settled[name] = absolute_database(url)
    if paths := settled.get("PYTHONPATH"):
        settled["PYTHONPATH"] = os.pathsep.join(str(Path(one).absolute()) for one in paths.split(os.pathsep))
    return settled
