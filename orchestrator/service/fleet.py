"""Owns the use cases of masters and workers: who has shown signs of life, who shall take nothing new."""

from typing import Any

from orchestrator.authoring.names import did_you_mean
from orchestrator.errors import NotFound
from orchestrator.service.backend import Backend


def list_workers(backend: Backend) -> list[dict[str, Any]]:
    """Return the workers; one that has been silent for the loss limit is `lost`."""
    now, beats = backend.presence.living()
    limit = backend.settings.lost_seconds
    return [
        {
            "name": beat.name,
            "incarnation": beat.incarnation,
            "groups": list(beat.groups),
            "capacity": beat.capacity,
            "running": len(beat.running),
            "last_heartbeat": seen,
            "state": "lost" if (now - seen).total_seconds() > limit else beat.state,
            "spooled": beat.spooled,
            "resent": beat.resent,
            "tasks": list(beat.tasks),
        }
        for beat, seen in beats
    ]


def list_masters(backend: Backend) -> list[dict[str, Any]]:
    """Return the masters that have not left, with what those say of themselves that live."""
    said = {one["incarnation"]: one for one in backend.masters.all()}
    rows = {one["incarnation"]: one for one in backend.queries.masters()}
    return [
        {"last_heartbeat": None, **said.get(incarnation, {}), **rows.get(incarnation, {})}
        for incarnation in {**rows, **said}
    ]


def drain(backend: Backend, name: str) -> None:
    """Let a worker take nothing new.

    Raises:
        NotFound: No such worker has shown itself.
    """
    _check(backend, name)
    backend.presence.drain(name)


def resume(backend: Backend, name: str) -> None:
    """Let a drained worker take tasks again.

    Raises:
        NotFound: No such worker has shown itself.
    """
    _check(backend, name)
    backend.presence.resume(name)


def _check(backend: Backend, name: str) -> None:
    names = [beat.name for beat, _ in backend.presence.living()[1]]
    if name not in names:
        raise NotFound(f"there is no worker '{name}'" + did_you_mean(name, names))
