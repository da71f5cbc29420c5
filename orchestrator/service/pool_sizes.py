"""Owns the use case "give a pool so many slots": whoever gets one by it is told at once."""

from dataclasses import asdict
from typing import Any

from orchestrator.authoring.names import workflow_name
from orchestrator.errors import UserError
from orchestrator.service.backend import Backend

MOST_SLOTS = 10_000
"""More than that limits nothing, and each commit about a pool looks through the numbers of its slots."""


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
