"""I18: a zombie master neither writes nor acknowledges; one stopped in a transaction blocks nobody."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, text

from orchestrator.core.changes import Changes, Leases
from orchestrator.errors import LeaseLost, StoreUnavailable
from orchestrator.store.commit import GroupCommit, fence
from orchestrator.store.leases import SlotLeases
from orchestrator.store.session import open_engine, writing
from tests.contract.invariants.cases import EVERYTHING, Case
from tests.fixtures.redis import wait_until
from tests.world import World, empty


@pytest.mark.parametrize("case", EVERYTHING, ids=str)
def test_a_zombie_says_and_writes_nothing(world: World, case: Case) -> None:
    """It wakes up with an item in hand while another master owns the slots: it only learns that.

    Teeth: fails without `fence(connection, leases)` in `GroupCommit.commit`.
    """
    case.ready(world)
    zombie = world.rig.master
    messages = len(zombie.messenger)
    world.restart_master()
    rows, acknowledged = world.database(), list(world.streams.acknowledged)
    published = list(world.broker.published)

    with pytest.raises(LeaseLost):
        zombie.loop.step()

    assert world.database() == rows
    assert world.streams.acknowledged == acknowledged
    assert world.broker.published == published
    assert len(zombie.messenger) == messages


def test_a_zombie_is_refused_even_when_it_has_nothing_to_write(world: World) -> None:
    """The lease is checked for an empty batch too: its verdicts must not count."""
    world.settle()
    leases = world.rig.master.status._leases
    world.restart_master()

    with pytest.raises(LeaseLost):
        world.rig.commit.commit(Changes(), leases)


def test_an_expired_lease_that_nobody_took_still_writes(world: World) -> None:
    """The epoch decides, not the clock: after an outage the owner simply goes on."""
    world.submit(*())
    world.rig.clock.advance(3600.0)

    world.settle()

    assert world.state == "SUCCESS"


def test_a_master_stopped_inside_a_transaction_blocks_nobody(postgres_engine: Engine) -> None:
    """Its fence holds row locks: the server ends it, another master takes the slots, the zombie is refused."""
    empty(postgres_engine)
    engine = open_engine(postgres_engine.url.render_as_string(hide_password=False), "master", lease_s=1.0)
    leases = SlotLeases(engine).acquire("zombie", 0.2)
    taken: set[int] = set()

    def taken_over() -> bool:
        taken.update(SlotLeases(engine).acquire("heir", 60.0).epochs)
        return taken == leases.epochs.keys()

    with pytest.raises(StoreUnavailable):
        _sleep_in_a_transaction(engine, leases, lambda: wait_until(taken_over))
    with pytest.raises(LeaseLost):
        GroupCommit(engine).commit(Changes(), leases)
    engine.dispose()


def _sleep_in_a_transaction(engine: Engine, leases: Leases, until: Callable[[], None]) -> None:
    """Lock the leases as a group commit does, and go on only after `until`."""
    with writing(engine) as connection:
        fence(connection, leases)
        until()
        connection.execute(text("SELECT 1"))
