"""Owns the use case of pruning: deleting old runs, and the logs of runs that are gone."""

import shutil
from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestrator.service.ages import age_s
from orchestrator.service.backend import Backend


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
