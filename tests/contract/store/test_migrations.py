"""Migrations: up, down and up again on both databases; a wrong schema is refused with the command to run."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, select, text
from sqlalchemy.types import JSON, BigInteger

from orchestrator.core.status import TaskState
from orchestrator.embedded.postgres import PrivatePostgres
from orchestrator.errors import Conflict, SchemaMismatch, UserError
from orchestrator.store import bulk, migrate
from orchestrator.store.definitions import Definitions
from orchestrator.store.leases import SlotLeases
from orchestrator.store.masters import Master
from orchestrator.store.new_runs import SubmitRequest
from orchestrator.store.rows import ATTEMPT_COLUMNS, attempt_of
from orchestrator.store.schema import SLOTS, metadata
from orchestrator.store.session import open_engine
from orchestrator.store.submissions import Submissions
from tests.builders import NOW, a_definition, a_task, an_attempt


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database of each kind without any table."""
    if request.param == "sqlite":
        engine = open_engine(f"sqlite:///{tmp_path / 'sub' / 'new.db'}", "migration")
        yield engine
        engine.dispose()
        return
    server: PrivatePostgres = request.getfixturevalue("postgres_server")
    administration = create_engine(server.url, isolation_level="AUTOCOMMIT")
    with administration.connect() as connection:
        connection.execute(text("CREATE DATABASE empty"))
    engine = open_engine(server.url_of("empty"), "migration")
    yield engine
    engine.dispose()
    with administration.connect() as connection:
        connection.execute(text("DROP DATABASE empty WITH (FORCE)"))
    administration.dispose()


def test_schema_goes_up_down_and_up_again(empty: Engine) -> None:
    """Nothing is left behind on the way down."""
    assert migrate.current(empty) is None

    migrate.upgrade(empty)
    migrate.upgrade(empty)
    assert migrate.current(empty) == migrate.HEAD
    migrate.downgrade(empty, "base")
    assert inspect(empty).get_table_names() == [migrate.VERSION_TABLE]
    migrate.upgrade(empty)

    migrate.check(empty)
    with empty.connect() as connection:
        assert connection.execute(text("SELECT slots FROM deployment")).scalar_one() == SLOTS
        assert connection.execute(text("SELECT count(*) FROM slot_lease")).scalar_one() == SLOTS


def test_older_schema_is_refused_and_brought_up_with_its_rows(empty: Engine) -> None:
    """Some steps down and up again: what stood there stands there."""
    migrate.upgrade(empty)
    with empty.begin() as connection:
        connection.execute(
            text("INSERT INTO master VALUES ('x', 'm1@host', 'host', 7, :at, :at, '1.2.3', NULL)"),
            {"at": "2026-11-01 00:00:00.000000"},
        )
    before = set(inspect(empty).get_table_names())

    migrate.downgrade(empty, "0004")

    with pytest.raises(SchemaMismatch, match=r"schema 000[0-9].*orchestrator db upgrade"):
        migrate.check(empty)
    assert before - set(inspect(empty).get_table_names()) == {
        "backfill",
        "backfill_run",
        "environment",
        "pool_place",
        "pool_slot",
        "serial_holder",
        "task_cache",
    }
    migrate.upgrade(empty)
    migrate.check(empty)
    with empty.connect() as connection:
        found = connection.execute(text("SELECT name, pid, version FROM master")).all()
    assert [tuple(row) for row in found] == [("m1@host", 7, "1.2.3")]


def test_migrations_make_exactly_the_tables_of_the_schema(empty: Engine) -> None:
    """What the program believes and what the migrations make is one and the same."""
    migrate.upgrade(empty)

    with empty.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_who_stands_in_line_stays_there_over_an_upgrade(empty: Engine) -> None:
    """Rows of a version that did not count times in line are of time 0, as are the grants that it sent."""
    migrate.upgrade(empty)
    migrate.downgrade(empty, "0013")
    with empty.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO pool_place (pool, workflow_instance_id, task, attempt, workflow_rank, task_rank,"
                " sequence) VALUES ('few', 1, 'a', 1, 2, 2, 1)"
            )
        )

    migrate.upgrade(empty)

    with empty.connect() as connection:
        assert connection.execute(text("SELECT task, line_up FROM pool_place")).one() == ("a", 0)


def test_queue_timeouts_and_what_began_are_kept_over_an_upgrade(empty: Engine) -> None:
    """Rows of before tell by their times what began, and who waits, waits no longer for the upgrade; and back."""
    migrate.upgrade(empty)
    definition = Definitions(empty).deploy(a_definition(a_task("a")), online=True)
    run = Submissions(empty).submit(SubmitRequest(definition_id=definition.id)).id
    later = NOW + timedelta(seconds=30)
    times: dict[str, dict[str, Any]] = {
        "waits": {"state": TaskState.DISPATCHED, "dispatched_at": NOW, "queue_timeout_at": later},
        "runs": {"state": TaskState.RUNNING, "dispatched_at": NOW, "started_at": later, "timeout_at": later},
        "deferred": {"state": TaskState.RUNNING, "dispatched_at": later, "started_at": NOW},
    }
    rows = [
        an_attempt(name, workflow_instance_id=run, dispatch=2, sequence=number, **fields)
        for number, (name, fields) in enumerate(times.items(), start=1)
    ]
    with empty.begin() as connection:
        bulk.insert_attempts(connection, rows)

    migrate.downgrade(empty, "0014")
    with empty.connect() as connection:
        waiting = text("SELECT count(*) FROM task_instance WHERE task = 'waits' AND timeout_at IS NOT NULL")
        assert connection.execute(waiting).scalar_one() == 1
    migrate.upgrade(empty)

    with empty.connect() as connection:
        found = {
            row["task"]: attempt_of(row) for row in connection.execute(select(*ATTEMPT_COLUMNS)).mappings()
        }
    assert {name: (row.begun, row.queue_timeout_at) for name, row in found.items()} == {
        "waits": (None, later),
        "runs": (2, None),
        "deferred": (None, None),
    }


def test_empty_database_is_refused(empty: Engine) -> None:
    """The message holds the command to run."""
    with pytest.raises(SchemaMismatch, match="orchestrator db upgrade"):
        migrate.check(empty)


def test_newer_database_is_refused(empty: Engine) -> None:
    """Neither checked as right nor migrated by a program that does not know it."""
    migrate.upgrade(empty)
    with empty.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(SchemaMismatch, match=r"9999.*newer.*orchestrator db"):
        migrate.check(empty)
    with pytest.raises(SchemaMismatch, match="9999"):
        migrate.upgrade(empty)
    with pytest.raises(SchemaMismatch, match="9999"):
        migrate.downgrade(empty)


def test_schema_under_a_living_master_is_not_taken_away(empty: Engine) -> None:
    """The message names the master; without leases, or by force, the way down is free."""
    migrate.upgrade(empty)
    master = Master(incarnation="i1", name="m1@host", host="host", pid=7)
    leases = SlotLeases(empty, master)
    held = leases.acquire("i1", 60.0)

    with pytest.raises(Conflict, match=r"'m1@host' \(host host, pid 7\); stop it first.*--force"):
        migrate.downgrade(empty, "base")

    migrate.check(empty)
    assert leases.renew(held, 60.0) == held
    leases.release(held)
    migrate.downgrade(empty)
    migrate.upgrade(empty)
    leases.acquire("i1", 60.0)
    migrate.downgrade(empty, "base", force=True)


def test_expired_leases_do_not_stop_the_way_down(empty: Engine) -> None:
    """A master that was killed is gone when its leases are; one that nobody has described has its owner's name."""
    migrate.upgrade(empty)
    SlotLeases(empty).acquire("i1", 60.0, limit=2)

    with pytest.raises(Conflict, match="master 'i1'; stop"):
        migrate.downgrade(empty)

    with empty.begin() as connection:
        connection.execute(text("UPDATE slot_lease SET expires_at = '2020-01-01 00:00:00.000000'"))
    migrate.downgrade(empty)


def test_unknown_revision_is_a_users_mistake(empty: Engine) -> None:
    """A typing error of `db downgrade` has no traceback and changes nothing."""
    migrate.upgrade(empty)

    with pytest.raises(UserError, match="'nonsense'"):
        migrate.downgrade(empty, "nonsense")

    migrate.check(empty)


def test_interrupted_upgrade_leaves_no_half_schema(empty: Engine) -> None:
    """All steps are one transaction."""
    with empty.begin() as connection:
        connection.execute(text("CREATE TABLE slot_lease (x integer)"))  # the upgrade will stumble over it

    with pytest.raises(Exception, match="slot_lease"):
        migrate.upgrade(empty)

    assert inspect(empty).get_table_names() == ["slot_lease"]
    assert migrate.current(empty) is None


def test_program_needs_the_last_migration() -> None:
    """`HEAD`, which is read without Alembic, is what Alembic says."""
    scripts = ScriptDirectory(str(migrate.script_location()))

    assert scripts.get_current_head() == migrate.HEAD
    assert {script.revision for script in scripts.walk_revisions()} == migrate.known_revisions()


def test_columns_are_wide_enough_on_postgresql(postgres_url: str) -> None:
    """What a worker reports (process ids, exit codes) never fails a batch for its size."""
    engine = create_engine(postgres_url)
    columns = {column["name"]: column["type"] for column in inspect(engine).get_columns("task_instance")}
    engine.dispose()

    assert all(isinstance(columns[name], BigInteger) for name in ("pid", "process_group", "exit_code"))
    assert isinstance(columns["outputs"], JSON)
