"""I17: a repeated RUNNING leaves a healthy task running: its verdict is `ok`, nobody is asked to stop it."""

from collections.abc import Callable

import pytest

from tests.contract.invariants.cases import claimed, held, running
from tests.contract.invariants.faults import FAULTS, Fault, fail_once
from tests.world import World


def at_once(_world: World) -> None:
    """Nothing happens between the two."""


def another_master(world: World) -> None:
    """The master dies, and another one takes over."""
    world.restart_master()
    world.settle()


def a_wiped_redis(world: World) -> None:
    """Redis forgets everything."""
    world.streams.wipe()
    world.broker.wipe()
    world.settle()


@pytest.mark.parametrize("between", [at_once, another_master, a_wiped_redis], ids=lambda one: one.__name__)
def test_a_running_that_comes_again_is_answered_ok(world: World, between: Callable[[World], None]) -> None:
    """Whatever happened between the two deliveries.

    Teeth: fails with StaleEvent in the place of RepeatedEvent in `handle_running`.
    """
    order = running(world)
    rows = world.rows()
    between(world)

    again = world.worker.running(order)
    world.settle()

    assert world.verdict(again) == "ok"
    assert world.rows() == rows
    assert world.broker.stops == set()


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if not fault.loses_lease], ids=str)
def test_a_running_that_was_sent_again_during_an_outage_is_answered_ok(world: World, fault: Fault) -> None:
    """Both copies wait while the database is away: both verdicts are `ok`."""
    claimed(world)
    both = [world.worker.running(held(world)), world.worker.running(held(world))]
    world.read()

    with fault.during(world):
        fail_once(world, fault)
    world.pass_time(3)

    assert [world.verdict(one) for one in both] == ["ok", "ok"]
    assert world.broker.stops == set()
    assert [row.attempt for row in world.rows()] == [1]
