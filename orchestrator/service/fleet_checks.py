"""Owns the doctor's checks of masters and workers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.broker.presence import DRAINING, NO_BROKER, ONLINE
from orchestrator.service import events, fleet
from orchestrator.service.backend import Backend
from orchestrator.service.files import groups_of
from orchestrator.service.findings import Finding, error, fine, warning
from orchestrator.service.wording import counted

START_MASTER = "orchestrator master (or: orchestrator up)"
FIND_BROKER = "start the broker, or correct ORCHESTRATOR_BROKER_URL where it runs"


def check_masters(backend: Backend) -> Iterator[Finding]:
    """Whether somebody coordinates, and whether starts are refused."""
    masters = backend.masters.all()
    if not masters:
        yield error("masters", "none: nothing goes on", START_MASTER)
        return
    yield fine("masters", ", ".join(one["name"] for one in masters))
    for one in masters:
        if one.get("overloaded"):
            yield warning(
                "overload",
                f"{one['name']} starts no new runs: {one['overloaded']}",
                "free the machine, or raise ORCHESTRATOR_MASTER_CPU_LIMIT or _MEMORY_LIMIT",
            )


def check_workers(backend: Backend) -> Iterator[Finding]:
    """Whether somebody works, who is lost, and whose reports wait."""
    workers = fleet.list_workers(backend)
    yield _capacity(workers)
    for one in workers:
        if one["state"] == "lost":
            yield warning(
                "workers", f"{one['name']} is silent since {one['last_heartbeat']}", "start it again"
            )
        elif one["state"] == NO_BROKER:
            yield warning("workers", f"{one['name']} has lost the broker, and takes no tasks", FIND_BROKER)
        elif one["spooled"] > one["capacity"] * 10:
            yield warning(
                "spools", f"{one['name']} has {one['spooled']} reports without an answer", START_MASTER
            )


def check_groups(backend: Backend) -> Iterator[Finding]:
    """Groups that online workflows need and nobody serves."""
    served = {
        group for one in fleet.list_workers(backend) if one["state"] == ONLINE for group in one["groups"]
    }
    for row in backend.definitions.list():
        for group in sorted(groups_of(row.definition) - served) if row.online else ():
            yield warning(
                "worker groups",
                f"nobody serves '{group}', which workflow '{row.definition.name}' needs",
                f"orchestrator worker --group {group}",
            )


def check_parked(backend: Backend) -> Iterator[Finding]:
    """Runs whose events fail again and again."""
    for one in events.list_parked(backend):
        number = one["workflow_instance_id"]
        yield error(
            "parked runs",
            f"run {number}: {one['error']} ({one['tries']} tries)",
            f"orchestrator events parked retry {number}, or bury {number}",
        )


def _capacity(workers: Sequence[Mapping[str, Any]]) -> Finding:
    """Return how much work is taken; who drains, or has lost the broker, takes none, however well it lives."""
    takers = [one for one in workers if one["state"] == ONLINE]
    drained = [one["name"] for one in workers if one["state"] == DRAINING]
    also = f"; draining: {', '.join(drained)}" if drained else ""
    if takers:
        return fine(
            "workers",
            f"{len(takers)}, {counted(sum(one['capacity'] for one in takers), 'task')} at the same time{also}",
        )
    if drained:
        return error("workers", f"none takes tasks{also}", f"orchestrator workers resume {drained[0]}")
    if any(one["state"] == NO_BROKER for one in workers):
        return error("workers", "none takes tasks", FIND_BROKER)
    return error("workers", "none: no task can start", "orchestrator worker (or: orchestrator up)")
