"""Owns the use cases of pools: listing, deleting, and refusing definitions that name unknown ones."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from orchestrator.authoring.names import did_you_mean
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.errors import Conflict, DefinitionError, Fault
from orchestrator.service.records import Records
from orchestrator.store.pools import Pools

MAKE = "make it with: orchestrator pools set {name} SLOTS"


def list_pools(records: Records) -> list[dict[str, Any]]:
    """Return every pool: name, slots, how many are taken, how many tasks wait, and how often one was repaired."""
    return [asdict(one) for one in Pools(records.engine).list()]


def delete(records: Records, name: str) -> dict[str, Any]:
    """Delete a pool that nothing uses.

    Raises:
        NotFound: There is no such pool.
        Conflict: Tasks have slots of it or wait for one, or a workflow that is online names it.
    """
    users = [
        row.definition.name
        for row in records.definitions.list()
        if row.online and _uses(row.definition, name)
    ]
    if users:
        raise Conflict(
            f"pool '{name}' is named by {', '.join(sorted(users))}, which may be submitted;"
            f" first: orchestrator definitions offline {min(users)}"
        )
    Pools(records.engine).delete(name)
    return {"name": name, "deleted": True}


def refuse_unknown_pools(records: Records, definitions: Sequence[WorkflowDefinition]) -> None:
    """Return if every pool that tasks of the definitions name has been made.

    Args:
        records: What is stored.
        definitions: Those that go online.

    Raises:
        DefinitionError: Some have not; each is named, with its place.
    """
    named = [(one, task.name, task.pool) for one in definitions for task in one.tasks if task.pool]
    if not named:
        return
    known = Pools(records.engine).names()
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
