"""Slot leases: by the database's clock, fenced by epochs, and blocked by nobody for ever."""

import pytest
from sqlalchemy import Engine, select

from orchestrator.core.changes import Changes, Leases
from orchestrator.errors import LeaseLost, StoreUnavailable
from orchestrator.store.commit import GroupCommit
from orchestrator.store.leases import SlotLeases
from orchestrator.store.schema import slot_lease
from orchestrator.store.session import open_engine, writing
from tests.fixtures.redis import wait_until

ALL_LEASES = select(slot_lease.c.slot).order_by(slot_lease.c.slot)
"""What a commit locks, for every slot."""


def test_first_master_takes_all_slots_and_the_second_none(engine: Engine) -> None:
    """What is held is not taken."""
    leases = SlotLeases(engine)

    first = leases.acquire("one", 60.0)
    second = leases.acquire("two", 60.0)

    assert first == Leases(owner="one", epochs=dict.fromkeys(range(64), 1))
    assert second == Leases(owner="two", epochs={})
    assert leases.holders() == dict.fromkeys(range(64), "one")


def test_master_takes_no_more_than_its_share(engine: Engine) -> None:
    """Slots can be spread over masters."""
    leases = SlotLeases(engine)

    first = leases.acquire("one", 60.0, limit=40)
    second = leases.acquire("two", 60.0, limit=40)

    assert sorted(first.epochs) == list(range(40))
    assert sorted(second.epochs) == list(range(40, 64))


def test_expired_leases_are_taken_under_the_next_epoch(engine: Engine) -> None:
    """The epoch tells the old owner from the new one, also when it is the same master again."""
    leases = SlotLeases(engine)
    leases.acquire("one", -1.0)

    again = leases.acquire("one", -1.0)
    other = leases.acquire("two", 60.0)

    assert set(again.epochs.values()) == {2}
    assert set(other.epochs.values()) == {3}


def test_renewal_prolongs_what_is_still_held(engine: Engine) -> None:
    """Also a lease that expired meanwhile, as long as nobody took it (after an outage of the database)."""
    leases = SlotLeases(engine)
    mine = leases.acquire("one", -1.0)

    kept = leases.renew(mine, 60.0)

    assert kept == mine
    assert leases.acquire("two", 60.0).epochs == {}


def test_renewal_leaves_out_what_another_master_took(engine: Engine) -> None:
    """The old owner learns which slots it has lost."""
    leases = SlotLeases(engine)
    mine = leases.acquire("one", -1.0)
    leases.acquire("two", 60.0, limit=3)

    kept = leases.renew(mine, 60.0)

    assert sorted(kept.epochs) == list(range(3, 64))


def test_released_leases_are_free_at_once(engine: Engine) -> None:
    """A graceful stop hands over without waiting; the leases of others stay."""
    leases = SlotLeases(engine)
    mine = leases.acquire("one", 60.0, limit=10)
    leases.acquire("two", 60.0)

    leases.release(mine)
    leases.release(Leases(owner="one", epochs={20: 1}))

    assert sorted(leases.acquire("three", 60.0).epochs) == list(range(10))


def test_slot_in_use_is_left_for_the_next_time(postgres_url: str) -> None:
    """Taking over never waits for a transaction that checks a lease."""
    # Teeth: fails without `skip_locked`.
    engine = open_engine(postgres_url, "master")
    leases = SlotLeases(engine)
    leases.acquire("one", -1.0)
    with writing(engine) as connection:
        connection.execute(ALL_LEASES.where(slot_lease.c.slot.in_([3, 4])).with_for_update(read=True))

        taken = leases.acquire("two", 60.0)

    assert sorted(set(range(64)) - set(taken.epochs)) == [3, 4]
    engine.dispose()


def test_master_stopped_inside_a_transaction_does_not_block_the_takeover(postgres_url: str) -> None:
    """I18: PostgreSQL ends the idle transaction before the lease has run out; the zombie's write fails."""
    # Teeth: fails without `idle_in_transaction_session_timeout`.
    zombie_engine = open_engine(postgres_url, "master", lease_s=1.0)
    other = open_engine(postgres_url, "master")
    mine = SlotLeases(other).acquire("zombie", 0.5)
    taken: set[int] = set()

    def take() -> bool:
        taken.update(SlotLeases(other).acquire("heir", 60.0).epochs)
        return len(taken) == 64

    def sleep_inside() -> None:
        with writing(zombie_engine) as connection:
            connection.execute(ALL_LEASES.with_for_update(read=True))
            wait_until(take, within_s=5.0)
            connection.execute(ALL_LEASES)

    with pytest.raises(StoreUnavailable):
        sleep_inside()
    wait_until(take, within_s=5.0)  # already, unless the server was too slow for the zombie's first statement
    with pytest.raises(LeaseLost):
        GroupCommit(other).commit(Changes(), mine)
    zombie_engine.dispose()
    other.dispose()


def test_commit_under_a_renewal_waits_no_longer_than_half_a_lease(postgres_url: str) -> None:
    """A lock that somebody else keeps is an outage of the database, not a hang."""
    engine = open_engine(postgres_url, "master", lease_s=2.0)
    holder = open_engine(postgres_url, "service")
    mine = SlotLeases(engine).acquire("one", 60.0)

    with writing(holder) as connection:
        connection.execute(ALL_LEASES.with_for_update())
        with pytest.raises(StoreUnavailable):
            GroupCommit(engine).commit(Changes(), mine)

    GroupCommit(engine).commit(Changes(), mine)
    engine.dispose()
    holder.dispose()
