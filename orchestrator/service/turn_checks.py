"""Owns the doctor's check of serial workflows: no chain of runs stands still, and none had to be mended."""

from collections.abc import Iterator
from datetime import timedelta

from orchestrator.service.backend import Backend
from orchestrator.service.findings import Finding, error, fine, warning
from orchestrator.service.wording import counted, waiting

RECENT = timedelta(days=7)
"""So long a repair is told."""


def check_turns(backend: Backend) -> Iterator[Finding]:
    """Who waits for whom, which chains stand still, and which a sweep has put in motion again."""
    lines = backend.turns.lines()
    stopped = backend.turns.look(range(backend.instances.slots()))
    for one in stopped:
        yield error(
            "turns",
            f"workflow {one.workflow}: runs wait, and nobody has the turn",
            "a master passes it on within seconds; if this stays, start one: orchestrator master",
        )
    now = backend.queries.now()
    for line in lines:
        if line.repaired_at is not None and now - line.repaired_at < RECENT:
            yield warning(
                "turns",
                f"workflow {line.workflow}: its chain stood still {counted(line.repairs, 'time')} and was put"
                f" in motion again by a sweep, at last {line.repaired_at.isoformat(timespec='seconds')}",
                "nothing has to be done; unless rows were changed by hand, please report it",
            )
    if not stopped:
        yield fine("turns", _summary([line.waiting for line in lines if line.waiting]))


def _summary(lines: list[int]) -> str:
    if not lines:
        return "no run waits for its turn"
    return f"{waiting(sum(lines), 'run')} in {counted(len(lines), 'serial workflow')}; each chain goes on"
