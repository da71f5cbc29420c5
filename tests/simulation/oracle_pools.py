"""Owns what must hold of pools: slots taken equal tasks that run, and none is left at the end (O9)."""

from collections import defaultdict
from collections.abc import Iterator

from tests.simulation.ledger import AttemptKey, Execution
from tests.simulation.world import World

HANDED_OVER = frozenset({"DISPATCHED", "RUNNING"})

SLOTS = "SELECT workflow_instance_id, task, attempt FROM pool_slot"
PLACES = "SELECT workflow_instance_id, task, attempt FROM pool_place"
ATTEMPTS = """
SELECT workflow_instance_id, task, attempt, state, reason FROM task_instance
WHERE current AND type != 'map'  -- a map's elements have slots, not its group
"""


def pools_left(world: World) -> Iterator[str]:
    """Say who still has a slot or waits for one."""
    for table in ("pool_slot", "pool_place"):
        left = world.database.number(f"SELECT count(*) FROM {table}")  # noqa: S608  one of two constants
        if left:
            yield f"{left} rows in {table}"


def pool_faults(world: World) -> Iterator[str]:
    """Yield what is wrong at the end: too many at a time, or something had to be put right."""
    repaired = world.database.number("SELECT coalesce(sum(repaired), 0) FROM pool")
    if repaired:
        yield f"O9: {repaired} rows of pools were wrong and were put right"
    by_pool: dict[str, list[Execution]] = defaultdict(list)
    for one in world.ledger.executions:
        pool = world.pool_of(one.key)
        if pool is not None:
            by_pool[pool].append(one)
    for pool, executions in by_pool.items():
        yield from _crowds(world, pool, executions)


def pools_differ(world: World) -> list[str]:
    """Return where slots and places differ from the attempts' rows, at this moment."""
    rows = world.database.rows
    has, stands = set(rows(SLOTS)), set(rows(PLACES))
    must_have: set[AttemptKey] = set()
    may_have: set[AttemptKey] = set()
    for run, task, attempt, state, reason in rows(ATTEMPTS):
        key = (run, task, attempt)
        if world.pool_of(key) is None:
            continue
        if state == "SUBMITTED" and reason == "pool":
            may_have.add(key)
        elif state == "SUBMITTED" and reason == "no worker":
            continue  # it gives way, and has neither
        elif state in HANDED_OVER or state == "SUBMITTED":
            must_have.add(key)
    return [
        *(f"O9: {key} has no slot and goes on" for key in sorted(must_have - has)),
        *(f"O9: {key} has a slot and is over" for key in sorted(has - must_have - may_have)),
        *(f"O9: {key} waits and stands nowhere" for key in sorted(may_have - has - stands)),
        *(f"O9: {key} stands in line and does not wait" for key in sorted(stands - (may_have - has))),
    ]


def _crowds(world: World, pool: str, executions: list[Execution]) -> Iterator[str]:
    """Of those that nobody took for lost, no more ran at a time than the pool ever had slots by then."""
    heard = [one for one in executions if not (one.zombie or one.unheard or one.spooled)]
    for one in heard:
        beside = [
            other
            for other in heard
            if other.began_s <= one.began_s and (other.ended_s is None or other.ended_s > one.began_s)
        ]
        most = world.most_slots(pool, one.began_s)
        if len(beside) > most:
            yield f"O9: {len(beside)} ran beside {one.order_id} in pool {pool}, which had {most} slots at most"
