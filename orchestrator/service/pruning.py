"""Owns the use cases of deleting runs, by age or by name, and the logs of runs that are gone."""

import shutil
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestrator.service.ages import age_s
from orchestrator.service.backend import Backend
from orchestrator.store.deletion import DeletedFamily


def prune(backend: Backend, older_than: str, *, dry_run: bool) -> dict[str, Any]:
    """Delete runs that ended longer ago, with everything that hangs on them, in small transactions.

    Args:
        backend: The services.
        older_than: The least age of what is deleted: `90d`.
        dry_run: Only count.

    Returns:
        How many `runs` (children included), `attempts`, `backfills` and directories of `logs` were deleted, and
        how many old runs were `kept` because they are still needed.

    Raises:
        UserError: The age is no duration.
        StoreUnavailable: The database is away; what was deleted before stays so.
    """
    cutoff = backend.pruning.cutoff(age_s("--older-than", older_than))
    needed = backend.pruning.needed()
    counts = {"runs": 0, "attempts": 0, "kept": 0}
    gone: set[int] = set()
    last_id: int | None = 0
    while last_id is not None:
        done = backend.pruning.step(cutoff, needed, last_id, trial=dry_run)
        counts["runs"] += len(done.runs)
        counts["attempts"] += done.attempts
        counts["kept"] += done.kept
        gone.update(done.runs)
        last_id = done.last_id
    backfills = 0 if dry_run else backend.pruning.forget_backfills(cutoff)
    logs = _prune_logs(backend, gone, cutoff, dry_run=dry_run)
    return {**counts, "backfills": backfills, "logs": logs, "dry_run": dry_run}


def delete(backend: Backend, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Delete ended runs with their children and everything that hangs on them, all of them or none.

    Args:
        backend: The services.
        ids: The runs; a child only together with its parent.

    Returns:
        An answer for each family: which runs (`deleted`), how many `attempts` and directories of `logs` went.

    Raises:
        NotFound: There is no such run.
        Conflict: One goes on, is a child, or is still needed; nothing was deleted.
        StoreUnavailable: The database is away.
    """
    return [_answer(backend, family) for family in backend.deletion.delete(set(ids))]


def _answer(backend: Backend, family: DeletedFamily) -> dict[str, Any]:
    logs = [path for path in (backend.settings.logs / str(one) for one in family.runs) if path.is_dir()]
    for path in logs:
        shutil.rmtree(path, ignore_errors=True)
    return {
        "workflow_instance_id": family.head,
        "state": family.state,
        "command": "DELETE",
        "sent": True,
        "deleted": list(family.runs),
        "attempts": family.attempts,
        "logs": len(logs),
    }


def _prune_logs(backend: Backend, gone: Collection[int], cutoff: datetime, *, dry_run: bool) -> int:
    """Delete the logs, on this machine, of runs that are gone; also those that a pruning before could not."""
    found = dict(_log_directories(backend.settings.logs))
    there = backend.pruning.existing(found.keys()) - set(gone)
    old = [
        path
        for number, path in found.items()
        if number in gone or (number not in there and path.stat().st_mtime < cutoff.timestamp())
    ]
    for path in old if not dry_run else ():
        shutil.rmtree(path, ignore_errors=True)
    return len(old)


def _log_directories(logs: Path) -> Iterator[tuple[int, Path]]:
    if logs.is_dir():
        for path in logs.iterdir():
            if path.name.isdecimal() and path.is_dir():
                yield int(path.name), path
