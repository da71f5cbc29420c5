"""I2: a commit fails: memory is as before, nothing is acknowledged or done, and the re-delivery counts as new."""

from typing import Any

import pytest
from sqlalchemy import Engine

from tests.contract.invariants.cases import EVERYTHING, Case
from tests.contract.invariants.conftest import MakeWorld
from tests.contract.invariants.faults import FAULTS, Fault, fail_once

SETTLED_S = 40
TICK_S = 4.0
PAIRS = [
    (case, fault)
    for case in EVERYTHING
    for fault in FAULTS
    if (case.writes or not fault.only_writes) and not (case.ended and fault.only_held)
]

pictures: dict[tuple[str, str], dict[str, Any]] = {}
"""What each case comes to on each database when nothing fails."""


@pytest.mark.parametrize(("case", "fault"), PAIRS, ids=str)
def test_a_failed_commit_changes_nothing_and_the_redelivery_counts_as_new(
    make_world: MakeWorld, database: Engine, case: Case, fault: Fault
) -> None:
    """Memory, rows and the outside are untouched; then it ends as in a twin world where nothing failed.

    Teeth: fails without `batch.undo()` in `Loop._handle`; with `self._acknowledge(batch)` before the commit;
    without `_put_back` in `Loop._failed`.
    """
    expected = twin(make_world, database, case)
    world = make_world()
    case.ready(world)
    instance = world.instance
    memory, rows, outside = instance.snapshot(), world.database(), world.outside()

    with fault.during(world):
        rows = rows if not fault.only_writes else world.database()
        fail_once(world, fault)
        assert instance.snapshot() == memory
        assert world.outside() == outside
        assert fault.commits or world.database() == rows

    world.pass_time(SETTLED_S, tick_s=TICK_S)
    assert world.picture(*case.changing) == expected
    world.assert_memory_equals_rows()
    assert world.streams.waiting == 0


def twin(make_world: MakeWorld, database: Engine, case: Case) -> dict[str, Any]:
    """Return what the case comes to when nothing fails."""
    key = (database.dialect.name, case.name)
    if key not in pictures:
        world = make_world()
        case.ready(world)
        world.pass_time(SETTLED_S, tick_s=TICK_S)
        pictures[key] = world.picture(*case.changing)
        assert world.streams.waiting == 0
    return pictures[key]
