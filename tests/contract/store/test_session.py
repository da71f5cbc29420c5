"""The connection: settings that safety rests on, and what an absent or full database looks like."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from orchestrator.core.changes import Changes
from orchestrator.embedded.postgres import PrivatePostgres
from orchestrator.errors import StoreUnavailable, UserError
from orchestrator.store import migrate
from orchestrator.store.clock import database_now
from orchestrator.store.commit import GroupCommit
from orchestrator.store.session import open_engine, reading, writing
from tests.contract.store.bench import make_bench
from tests.fixtures.redis import wait_until


@pytest.fixture
def own_server(passable_directory: Path) -> Iterator[PrivatePostgres]:
    """A server that the test may stop."""
    server = PrivatePostgres(passable_directory / "postgres", fsync=False)
    server.start()
    yield server
    server.stop("immediate")


def ask(engine: Engine, question: str) -> object:
    """Return the one value that the database answers."""
    with reading(engine) as connection:
        return connection.execute(text(question)).scalar_one()


def test_sqlite_is_durable_and_checks_its_references(sqlite_url: str) -> None:
    """WAL with synchronous=FULL: what is committed survives the machine."""
    engine = open_engine(sqlite_url, "master")

    assert ask(engine, "PRAGMA journal_mode") == "wal"
    assert ask(engine, "PRAGMA synchronous") == 2
    assert ask(engine, "PRAGMA foreign_keys") == 1
    engine.dispose()


def test_writing_transaction_on_sqlite_locks_out_other_writers_at_once(sqlite_url: str) -> None:
    """The fence must hold from its SELECT on: BEGIN IMMEDIATE, also before the first write."""
    # Teeth: fails with BEGIN DEFERRED.
    engine = open_engine(sqlite_url, "master", lease_s=0.1)

    with writing(engine) as connection:
        connection.execute(text("SELECT 1"))
        with pytest.raises(StoreUnavailable, match="locked"), writing(engine):
            pass
        with reading(engine) as reader:
            assert reader.execute(text("SELECT count(*) FROM deployment")).scalar_one() == 1
    engine.dispose()


def test_reading_sees_one_state_of_the_database(sqlite_url: str) -> None:
    """Two questions of one reading transaction have answers that fit together."""
    engine = open_engine(sqlite_url, "master")

    with reading(engine) as reader:
        first = reader.execute(text("SELECT count(*) FROM pool")).scalar_one()
        with writing(engine) as writer:
            writer.execute(text("INSERT INTO pool (name, slots) VALUES ('p', 3)"))
        second = reader.execute(text("SELECT count(*) FROM pool")).scalar_one()

    assert (first, second) == (0, 0)
    assert ask(engine, "SELECT count(*) FROM pool") == 1
    engine.dispose()


def test_database_in_memory_is_one_for_all_threads() -> None:
    """`orchestrator.testing` runs without a file."""
    engine = open_engine("sqlite://", "master")
    migrate.upgrade(engine)

    bench = make_bench(engine)

    assert bench.run_with("a", "b").revision == 1
    engine.dispose()


def test_clock_of_sqlite_can_be_simulated() -> None:
    """A simulation decides what time it is; so does the database then."""
    engine = open_engine("sqlite://", "master", sqlite_clock=lambda: datetime(2030, 1, 1, tzinfo=UTC))

    with reading(engine) as connection:
        assert database_now(connection) == datetime(2030, 1, 1, tzinfo=UTC)
    engine.dispose()


def test_full_disk_under_sqlite_is_an_outage_with_a_clear_message(sqlite_url: str) -> None:
    """Nothing is half written, and it goes on when there is room."""
    engine = open_engine(sqlite_url, "master")
    bench = make_bench(engine)
    before = bench.contents()

    def fill() -> None:
        with writing(engine) as connection:
            pages = connection.execute(text("PRAGMA page_count")).scalar_one()
            connection.execute(text(f"PRAGMA max_page_count = {pages}"))
            connection.execute(
                text("INSERT INTO pool (name, slots) VALUES (:name, 1)"), {"name": "x" * 10**6}
            )

    with pytest.raises(StoreUnavailable, match="disk under the SQLite database is full"):
        fill()

    assert bench.contents() == before
    engine.dispose()


def test_master_on_postgresql_has_limits_below_half_its_lease(postgres_url: str) -> None:
    """No transaction of a stopped master outlives its lease; other roles have wide ones, migrations none."""
    names = ("statement_timeout", "idle_in_transaction_session_timeout", "lock_timeout")
    expected = {"master": ["4s", "4s", "2s"], "service": ["30s", "30s", "15s"], "migration": ["0", "0", "0"]}

    for role, limits in expected.items():
        engine = open_engine(postgres_url, role, lease_s=10.0)  # type: ignore[arg-type]  # a role from the table above
        assert [ask(engine, f"SHOW {name}") for name in names] == limits
        assert ask(engine, "SHOW timezone") == "UTC"
        assert ask(engine, "SHOW application_name") == f"orchestrator {role}"
        engine.dispose()


def test_options_in_the_url_are_kept(postgres_url: str) -> None:
    """What people write into the URL comes after our own settings."""
    engine = open_engine(f"{postgres_url}&options=-c%20work_mem%3D5MB", "master")

    assert ask(engine, "SHOW work_mem") == "5MB"
    assert ask(engine, "SHOW lock_timeout") == "2s"
    engine.dispose()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_way_to_write_a_postgresql_url_works(postgres_url: str, scheme: str) -> None:
    """Both short forms mean psycopg2; psycopg 3 is used by name, with the same store."""
    url = postgres_url.replace("postgresql+psycopg2", scheme)
    engine = open_engine(url, "master")

    assert engine.dialect.driver == ("psycopg" if scheme == "postgresql+psycopg" else "psycopg2")
    assert make_bench(engine).run_with("a").revision == 1
    engine.dispose()


def test_statement_that_takes_too_long_is_an_outage(postgres_url: str) -> None:
    """The loop backs off instead of hanging beyond its lease."""
    engine = open_engine(postgres_url, "master", lease_s=0.5)

    with pytest.raises(StoreUnavailable, match="statement timeout"):
        ask(engine, "SELECT pg_sleep(10)")
    engine.dispose()


@pytest.mark.parametrize("url", ["mysql://localhost/x", "nonsense", "sqlite+nonsense:///x"])
def test_wrong_url_is_a_users_mistake(url: str) -> None:
    """One clear message, without the URL (it may hold a password)."""
    with pytest.raises(UserError) as raised:
        open_engine(url, "service")

    assert url not in str(raised.value)


def test_absent_server_is_an_outage(tmp_path: Path) -> None:
    """Whether it never was there or went away."""
    engine = open_engine(f"postgresql+psycopg2://postgres@/x?host={tmp_path}", "service")

    with pytest.raises(StoreUnavailable):
        GroupCommit(engine).database_now()


def test_store_goes_on_by_itself_after_a_restart_of_the_server(own_server: PrivatePostgres) -> None:
    """Stale connections are errors once, and gone then; nothing committed is lost."""
    migrating = open_engine(own_server.url, "migration")
    migrate.upgrade(migrating)
    migrating.dispose()
    engine = open_engine(own_server.url, "master")
    bench = make_bench(engine)
    run = bench.run_with("a")

    own_server.restart("immediate")
    with pytest.raises(StoreUnavailable):
        GroupCommit(engine).commit(Changes(), bench.leases)

    assert bench.load(run.head.id) == run
    engine.dispose()


def test_outage_lasts_as_long_as_the_server_is_away(own_server: PrivatePostgres) -> None:
    """Every try is an outage, none a bug; the first one after the start works."""
    engine = open_engine(own_server.url, "service")
    ask(engine, "SELECT 1")
    own_server.stop("fast")
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            ask(engine, "SELECT 1")
    own_server.start()

    wait_until(lambda: ask(engine, "SELECT 1"))
    engine.dispose()


def test_all_connections_in_use_is_an_outage() -> None:
    """A pool that is exhausted gives up after its limit instead of hanging."""
    engine = open_engine("sqlite://", "master")
    engine.pool._timeout = 0.05  # type: ignore[attr-defined]  # a private field of SQLAlchemy's QueuePool

    with reading(engine), pytest.raises(StoreUnavailable, match="in use"), reading(engine):
        pass
    engine.dispose()
