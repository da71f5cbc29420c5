"""Owns the files that an import writes: all of them or none, and none over another without being told."""

import os
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from orchestrator.errors import DefinitionError, Fault


def write_all(texts: Mapping[Path, str], *, force: bool, sources: Sequence[Path] = ()) -> None:
    """Write files whose directory may not exist yet; after an error nothing is left half-written.

    Args:
        texts: What each file is to hold.
        force: Whether a file that exists may be replaced.
        sources: Files that are never replaced.

    Raises:
        DefinitionError: A file exists, or something cannot be written.
    """
    ready: list[tuple[Path, Path]] = []
    try:
        faults = _in_the_way(texts, force=force, sources={one.resolve() for one in sources})
        if faults:
            raise DefinitionError(faults)
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_name(f".{path.name[:40]}.{os.getpid()}.tmp")
            ready.append((beside, path))
            beside.write_text(text, encoding="utf-8", newline="\n")
        for beside, path in ready:
            beside.replace(path)
    except OSError as error:
        message = f"cannot be written: {error.strerror}"
        raise DefinitionError([Fault(message=message, file=str(error.filename))]) from None
    finally:
        for beside, _ in ready:
            beside.unlink(missing_ok=True)


def _in_the_way(texts: Iterable[Path], *, force: bool, sources: AbstractSet[Path]) -> list[Fault]:
    faults = []
    for path in texts:
        if path.resolve() in sources:
            message = "is what is imported; give another directory with --output"
            faults.append(Fault(message=message, file=str(path)))
        elif path.exists() and not force:
            faults.append(Fault(message="exists; --force replaces it", file=str(path)))
    return faults
