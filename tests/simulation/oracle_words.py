"""Owns what must hold of child parameters at the end: the word goes into each called run, and comes back."""

from collections.abc import Iterator

from sqlalchemy import select

from orchestrator.store import schema
from orchestrator.store.session import reading
from tests.simulation.workload_children import CALLS
from tests.simulation.workload_words import BACK, WORD
from tests.simulation.world import World


def word_faults(world: World) -> Iterator[str]:
    """Yield which called run has another word than it was told, or told its caller another one (W1, W2)."""
    if not any(WORD in run.definition.params for run in world.plan.children.values()):
        return
    runs, attempts = schema.workflow_instance, schema.task_instance
    with reading(world.engine) as connection:
        children = connection.execute(select(runs).where(runs.c.parent_id.is_not(None))).mappings().all()
        calls = connection.execute(
            select(attempts).where(attempts.c.type == CALLS, attempts.c.state == "SUCCESS")
        )
        ended = calls.mappings().all()
    for row in children:
        own = world.planned[row["id"]].definition.params[WORD].default
        has = row["params"].get(WORD, own)
        if has != world.words.of(row["id"]):
            yield f"W1: run {row['id']} has {has!r}, and was told {world.words.of(row['id'])!r}"
    for row in ended:
        place = f"{row['workflow_instance_id']}:{row['task']}:{row['attempt']}"
        right = {BACK: world.words.of(row["child"])}
        if row["outputs"] != right:
            yield f"W2: {place} heard {row['outputs']} of run {row['child']}, and not {right}"
