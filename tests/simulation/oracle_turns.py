"""Owns what must hold of serial workflows: never two runs at once, no chain mended, no stop without its reason."""

import re
from collections.abc import Callable, Iterator

from sqlalchemy import select

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import Execution
from orchestrator.store import schema
from orchestrator.store.session import reading
from tests.simulation.database import Database
from tests.simulation.world import World

UNDER_WAY = "SELECT count(*) FROM workflow_instance WHERE workflow = ? AND {}"
STATES = "state IN ('RUNNING', 'PAUSING', 'STOPPING')"
STRANGER = "has_turn AND id NOT IN (SELECT coalesce(workflow_instance_id, 0) FROM serial_holder)"
REASONS = {
    Execution.SERIAL_DISCARD: re.compile(r"stopped: run (\d+) has the turn \(serial_discard\)"),
    Execution.SERIAL_PRIORITY: re.compile(r"stopped for run (\d+), which came later \(serial_priority\)"),
}


def watch(world: World) -> Callable[[str], None]:
    """Return what is to be called at each crash point: it looks whenever somebody's turn was settled."""
    serial = sorted(
        {run.definition.name for run in world.plan.runs if run.definition.execution is not Execution.PARALLEL}
    )

    def look(point: str) -> None:
        if point == "serial.after_commit":
            for name in serial:
                world.tasks.wrong.extend(_at_once(world.database, name))

    return look


def _at_once(database: Database, name: str) -> Iterator[str]:
    for what in (STATES, "has_turn"):
        number = database.number(UNDER_WAY.format(what), name)
        if number > 1:
            yield f"S1: {number} runs of {name} at once ({what})"
    if database.number(UNDER_WAY.format(STRANGER), name):
        yield f"S1: a run of {name} is under way, and another one has the turn"


def turn_faults(world: World) -> Iterator[str]:
    """Yield what is wrong at the end: a turn still held, a chain that was mended, a stop without reason."""
    with reading(world.engine) as connection:
        holders = connection.execute(select(schema.serial_holder)).mappings().all()
        runs = connection.execute(select(schema.workflow_instance)).mappings().all()
    for row in holders:
        if row["workflow_instance_id"] is not None:
            yield f"S2: run {row['workflow_instance_id']} of {row['workflow']} has the turn, and has ended"
        if row["repairs"]:
            yield f"S2: the chain of {row['workflow']} stood still {row['repairs']} times"
    by_id = {row["id"]: row for row in runs}
    for position, number in world.runs.items():
        execution = world.plan.runs[position].definition.execution
        row = by_id[number]
        by_hand = CommandKind.STOP in world.sent.get(number, [])
        if row["state"] == "STOPPED" and not by_hand:
            reason = REASONS.get(execution)
            found = reason.fullmatch(row["reason"] or "") if reason is not None else None
            other = by_id.get(int(found[1])) if found else None
            if other is None or other["workflow"] != row["workflow"] or other["id"] == number:
                yield f"S3: run {number} ({execution}) is STOPPED, reason {row['reason']!r}"


def may_be_stopped(world: World, position: int) -> bool:
    """Return whether a run may be stopped for another one, or for having come while another one was under way."""
    return world.plan.runs[position].definition.execution in REASONS
