"""Contract: a list of values is one parameter of a statement that was built once."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from orchestrator.store.among import among
from orchestrator.store.clock import Now, database_now
from orchestrator.store.schema import slot_lease
from orchestrator.store.session import reading
from tests.contract.store.bench import Bench

GIVEN = select(slot_lease.c.slot).where(among(slot_lease.c.slot, "slots")).order_by(slot_lease.c.slot)
OTHERS = select(slot_lease.c.slot).where(~among(slot_lease.c.slot, "slots")).order_by(slot_lease.c.slot)
OWNED = select(slot_lease.c.slot).where(among(slot_lease.c.owner, "owners"))
LONG = list(range(40_000))
"""More than SQLite takes as single parameters."""


@pytest.mark.parametrize(
    ("slots", "found"), [([], []), ([7], [7]), ([9, 7, 9, 7_000], [7, 9]), (LONG, list(range(64)))]
)
def test_rows_are_those_whose_value_is_in_the_list(bench: Bench, slots: list[int], found: list[int]) -> None:
    """Lists of any length, also empty ones, mean what IN means."""
    with reading(bench.engine) as connection:
        assert list(connection.execute(GIVEN, {"slots": slots}).scalars()) == found


def test_the_others_are_those_whose_value_is_not_in_the_list(bench: Bench) -> None:
    """Negated, an empty list leaves nobody out."""
    with reading(bench.engine) as connection:
        assert list(connection.execute(OTHERS, {"slots": list(range(1, 64))}).scalars()) == [0]
        assert list(connection.execute(OTHERS, {"slots": []}).scalars()) == list(range(64))


def test_texts_are_handed_over_as_they_are(bench: Bench) -> None:
    """Quotes, commas and braces in a text do not end it."""
    with reading(bench.engine) as connection:
        assert not connection.execute(OWNED, {"owners": ["a'b", 'c"d', "{e,f}", "ä\\"]}).all()
        assert len(connection.execute(OWNED, {"owners": ["a'b", bench.leases.owner]}).all()) == 64


def test_the_clock_rides_along_and_compares_with_stored_times(bench: Bench) -> None:
    """The clock as a column is aware UTC, and has the order of times that are stored."""
    lives = select(Now(), slot_lease.c.expires_at >= select(Now()).scalar_subquery()).limit(1)
    with reading(bench.engine) as connection:
        before = database_now(connection)
        now, is_later = connection.execute(lives).one()

    assert before <= now <= before + timedelta(minutes=1)
    assert now.tzinfo is UTC
    assert is_later
    assert abs(now - datetime.now(UTC)) < timedelta(minutes=1)
