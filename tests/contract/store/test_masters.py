"""The rows of the masters: written with the leases, seen while they live, kept for a while."""

from datetime import timedelta

from sqlalchemy import Engine, RowMapping, select, update

from orchestrator.store import schema
from orchestrator.store.leases import SlotLeases
from orchestrator.store.masters import Master
from orchestrator.store.queries import Queries
from orchestrator.store.session import reading, writing
from tests.contract.store.bench import Bench


def a_master(incarnation: str = "x", name: str = "m1@host") -> Master:
    """Return a master of some version."""
    return Master(incarnation=incarnation, name=name, host="host", pid=17, version="1.2.3")


def free_all(bench: Bench) -> None:
    """Let nobody hold anything."""
    SlotLeases(bench.engine).release(bench.leases)


def age(engine: Engine, incarnation: str, by: timedelta) -> None:
    """Let a master have been seen so much earlier."""
    with writing(engine) as connection:
        chosen = schema.master.c.incarnation == incarnation
        seen = connection.execute(select(schema.master.c.last_heartbeat).where(chosen)).scalar_one()
        connection.execute(update(schema.master).where(chosen).values(last_heartbeat=seen - by))


def rows(engine: Engine) -> list[RowMapping]:
    """Return the rows of the masters."""
    with reading(engine) as connection:
        return list(connection.execute(select(schema.master).order_by(schema.master.c.name)).mappings())


def test_a_master_that_takes_leases_is_listed_with_its_slots(bench: Bench) -> None:
    """`masters list` shows who holds what, until they leave."""
    free_all(bench)
    first, second = a_master("x", "m1@host"), a_master("y", "m2@host")
    taken = SlotLeases(bench.engine, first).acquire("x", 60.0, limit=60)
    SlotLeases(bench.engine, second).acquire("y", 60.0)

    one, two = Queries(bench.engine).masters()

    assert (one["name"], one["incarnation"], one["epoch_max"]) == ("m1@host", "x", 2)
    assert (one["host"], one["pid"], one["version"]) == ("host", 17, "1.2.3")
    assert (one["slots"], two["slots"]) == (list(range(60)), [60, 61, 62, 63])
    assert one["last_heartbeat"].endswith("Z")
    assert one["started_at"] == one["last_heartbeat"]
    SlotLeases(bench.engine, first).release(taken)
    assert [row["name"] for row in Queries(bench.engine).masters()] == ["m2@host"]
    assert [row["left_at"] is None for row in rows(bench.engine)] == [False, True]


def test_each_renewal_shows_that_a_master_lives(bench: Bench) -> None:
    """By the database's clock; it began when it first took leases."""
    free_all(bench)
    table = SlotLeases(bench.engine, a_master())
    leases = table.acquire("x", 60.0)
    age(bench.engine, "x", timedelta(seconds=50))
    (before,) = rows(bench.engine)

    table.renew(leases, 60.0)

    (after,) = rows(bench.engine)
    assert after["last_heartbeat"] >= before["started_at"] > before["last_heartbeat"]
    assert after["started_at"] == before["started_at"]


def test_a_master_that_holds_nothing_any_more_is_not_seen(bench: Bench) -> None:
    """A renewal that finds its leases taken says nothing about it."""
    free_all(bench)
    table = SlotLeases(bench.engine, a_master())
    leases = table.acquire("x", -1.0)
    SlotLeases(bench.engine).acquire("y", 60.0)
    before = rows(bench.engine)

    assert table.renew(leases, 60.0).epochs == {}

    assert rows(bench.engine) == before


def test_a_master_that_takes_nothing_is_not_listed(bench: Bench) -> None:
    """It stands by."""
    SlotLeases(bench.engine, a_master()).acquire("x", 60.0)

    assert Queries(bench.engine).masters() == []


def test_a_master_that_comes_back_has_not_left(bench: Bench) -> None:
    """After a reign that ended, the same one may take the leases again."""
    free_all(bench)
    table = SlotLeases(bench.engine, a_master())
    table.release(table.acquire("x", 60.0))

    table.acquire("x", 60.0)

    assert [row["name"] for row in Queries(bench.engine).masters()] == ["m1@host"]


def test_a_killed_master_is_not_shown_for_long_and_forgotten_later(bench: Bench) -> None:
    """Its row stays a week to be looked up; the next master that takes leases sweeps it."""
    free_all(bench)
    SlotLeases(bench.engine, a_master("x")).acquire("x", -1.0)
    age(bench.engine, "x", timedelta(minutes=2))
    SlotLeases(bench.engine, a_master("y", "m2@host")).acquire("y", -1.0)
    assert [row["name"] for row in Queries(bench.engine).masters()] == ["m2@host"]
    assert len(rows(bench.engine)) == 2

    age(bench.engine, "x", timedelta(days=8))
    SlotLeases(bench.engine, a_master("z", "m3@host")).acquire("z", 60.0)

    assert [row["incarnation"] for row in rows(bench.engine)] == ["y", "z"]
