"""Owns the use cases of pools: listing, sizing, deleting, and refusing definitions that name unknown ones."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from orchestrator.authoring.names import did_you_mean, workflow_name
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.errors import Conflict, DefinitionError, Fault, UserError
from orchestrator.service.backend import Backend

MOST_SLOTS = 10_000
"""More than that limits nothing, and each commit about a pool looks through the numbers of its slots."""

MAKE = "make it with: orchestrator pools set {name} SLOTS"


def list_pools(backend: Backend) -> list[dict[str, Any]]:
    """Return every pool: name, slots, how many are taken, how many tasks wait, and how often one was repaired."""
    return [asdict(one) for one in backend.pools.list()]


def set_slots(backend: Backend, name: str, slots: int) -> dict[str, Any]:
    """Give a pool this many slots; a new name makes a new pool.

    Whoever has a slot keeps it: a pool that is made smaller gives out none until it fits.

    Raises:
        UserError: The name or the number cannot be used.
    """
    try:
        workflow_name(name)
    except ValueError as error:
        raise UserError(f"'{name}' cannot name a pool: {error}") from error
    if not 0 <= slots <= MOST_SLOTS:
        raise UserError(f"a pool has 0 to {MOST_SLOTS} slots, not {slots}")
    stored, mailed = backend.pools.set(name, slots)
    for slot in {number % backend.instances.slots() for number in mailed}:
        backend.wake(slot)
    return asdict(stored)


def delete(backend: Backend, name: str) -> dict[str, Any]:
    """Delete a pool that nothing uses.

    Raises:
        NotFound: There is no such pool.
        Conflict: Tasks have slots of it or wait for one, or a workflow that is online names it.
    """
    users = [
        row.definition.name
        for row in backend.definitions.list()
        if row.online and _uses(row.definition, name)
    ]
    if users:
        raise Conflict(
            f"pool '{name}' is named by {', '.join(sorted(users))}, which may be submitted;"
            f" first: orchestrator definitions offline {min(users)}"
        )
    backend.pools.delete(name)
    return {"name": name, "deleted": True}


def refuse_unknown_pools(backend: Backend, definitions: Sequence[WorkflowDefinition]) -> None:
    """Return if every pool that tasks of the definitions name has been made.

    Args:
        backend: The services.
        definitions: Those that go online.

    Raises:
        DefinitionError: Some have not; each is named, with its place.
    """
    named = [(one, task.name, task.pool) for one in definitions for task in one.tasks if task.pool]
    if not named:
        return
    known = backend.pools.names()
    faults = [
        Fault(
            message=f"there is no pool '{name}'{did_you_mean(name, known)}; {MAKE.format(name=name)}",
            workflow=definition.name,
            task=task,
            field="pool",
        )
        for definition, task, name in named
        if name not in known
    ]
    if faults:
        raise DefinitionError(faults)


def _uses(definition: WorkflowDefinition, name: str) -> bool:
    return any(task.pool == name for task in definition.tasks)
