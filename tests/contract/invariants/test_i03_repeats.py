"""I3: any event delivered twice changes nothing the second time and is acknowledged."""

import pytest

from tests.contract.invariants.cases import EVERYTHING, Case
from tests.contract.invariants.conftest import MakeWorld
from tests.world import World


@pytest.mark.parametrize("case", EVERYTHING, ids=str)
def test_a_second_delivery_changes_nothing(world: World, case: Case) -> None:
    """The same items come once more after their commit: no row changes, and everybody is answered.

    Teeth: fails for RUNNING without the RepeatedEvent in `handle_running`, for RESULT without the look at final
    states in `check_event`, for START without the look at SUBMITTED in `handle_start`.
    """
    case.ready(world)
    items = world.waiting_items()
    world.put(items)
    world.step()
    rows = world.database()

    world.put(items)
    world.step()

    assert world.database() == rows
    world.assert_memory_equals_rows()
    assert world.streams.waiting == 0
    assert world.rig.master.lanes.parked == {}


@pytest.mark.parametrize("case", EVERYTHING, ids=str)
def test_a_second_delivery_in_the_same_batch_changes_nothing(make_world: MakeWorld, case: Case) -> None:
    """Both deliveries are decided in one batch: the second on what the first left."""
    twin = make_world()
    case.ready(twin)
    twin.step()
    expected = twin.picture(*case.changing)

    world = make_world()
    case.ready(world)
    items = world.waiting_items()
    world.put([*items, *items])
    world.step()

    assert world.picture(*case.changing) == expected
    assert world.streams.waiting == 0
    assert world.rig.master.lanes.parked == {}
