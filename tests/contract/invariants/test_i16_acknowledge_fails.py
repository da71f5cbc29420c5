"""I16: an acknowledgement that fails after the commit changes no state and causes one harmless re-delivery."""

import pytest
from structlog.testing import capture_logs

from tests.contract.invariants.cases import EVERYTHING, Case, running
from tests.contract.invariants.conftest import MakeWorld
from tests.world import World, a_task


@pytest.mark.parametrize("case", [case for case in EVERYTHING if case.told], ids=str)
def test_a_failed_acknowledgement_is_made_up_for(make_world: MakeWorld, case: Case) -> None:
    """What was committed stays; the entry is read again, changes nothing, and is acknowledged.

    Teeth: fails without `self._outside.read_again()` in `Loop._acknowledge`: nobody would ever read it again.
    """
    twin = make_world()
    case.ready(twin)
    twin.pass_time(4)
    expected = twin.picture()

    world = make_world()
    case.ready(world)
    world.streams.refuses = True
    world.step()
    committed = world.picture()
    assert world.streams.waiting == 1
    world.streams.refuses = False
    world.pass_time(4)

    assert world.streams.waiting == 0
    assert world.picture() == expected
    assert committed["head"] == expected["head"]
    world.assert_memory_equals_rows()


def test_a_repeated_online_accuses_nobody(world: World) -> None:
    """Its verdict was lost; meanwhile the worker started once more and runs the attempt: that one stays.

    Teeth: fails without the look at `repeated` in `Loop._losses`.
    """
    world.submit(a_task("only"))
    world.settle()
    world.streams.refuses = True
    online = world.replace_worker("w1-2").online(world.slot)
    world.settle()
    world.streams.refuses = False
    world.replace_worker("w1-3")
    world.started()

    world.pass_time(4)

    assert world.verdict(online) == "ok"
    assert [(row.attempt, row.incarnation) for row in world.rows()] == [(1, "w1-3")]


def test_a_redis_that_takes_no_verdict_is_asked_with_pauses(world: World) -> None:
    """It can be read and not written: the entries come again every other second, not in a tight circle.

    Teeth: fails (never settles) with `AGAIN_S = 0`.
    """
    order = running(world)
    world.streams.refuses = True
    world.worker.running(order)

    with capture_logs() as logs:
        world.pass_time(20)

    assert 5 <= [line["event"] for line in logs].count("acknowledge.failed") <= 11
