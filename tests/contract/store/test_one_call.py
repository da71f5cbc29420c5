"""The group commit's rows as one call of PostgreSQL, and what becomes of it when the call is not to be had."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, event, make_url, text

from orchestrator.core.changes import InstanceChange
from orchestrator.errors import CommitInDoubt, LeaseLost, RevisionLost, StoreUnavailable
from orchestrator.store import one_call
from orchestrator.store.session import open_engine, writing
from tests.contract.store.bench import Bench, listening, make_attempt, make_bench

USER = "hardened"
LAST_SAID = "SELECT query FROM pg_stat_activity WHERE pid = :pid"

FORBID_TEMPORARY = "REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC"
FORBID_LANGUAGE = "REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC"
FORBID_DDL = """
CREATE FUNCTION forbid_functions() RETURNS event_trigger LANGUAGE plpgsql
AS $$ BEGIN RAISE EXCEPTION 'no DDL here'; END $$;
CREATE EVENT TRIGGER forbid_functions ON ddl_command_start WHEN TAG IN ('CREATE FUNCTION')
EXECUTE FUNCTION forbid_functions()
"""
ALLOW_AGAIN = (
    "GRANT TEMPORARY ON DATABASE {database} TO PUBLIC",
    "GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC",
    "DROP EVENT TRIGGER IF EXISTS forbid_functions",
    "DROP FUNCTION IF EXISTS forbid_functions",
    "DROP OWNED BY {user}",
    "DROP ROLE {user}",
)


@contextmanager
def hardened(url: str, prohibition: str) -> Iterator[str]:
    """Give the URL of a user who may write all rows, in a database in which something else is forbidden."""
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    names = {"database": make_url(url).database, "user": USER}
    with admin.connect() as connection:
        connection.execute(text(f"CREATE ROLE {USER} LOGIN"))
        connection.execute(text(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {USER}"))
        connection.execute(text(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {USER}"))
        connection.execute(text(prohibition.format(**names)))
    try:
        yield make_url(url).set(username=USER).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            for statement in ALLOW_AGAIN:
                connection.execute(text(statement.format(**names)))
        admin.dispose()


def write_one(bench: Bench) -> None:
    """Change a run and one of its attempts, and add another one."""
    loaded = bench.run_with("a")
    new = (make_attempt(loaded, "b", sequence=2),)
    changed = (replace(loaded.attempts[0], reason="x"),)
    bench.commit(InstanceChange(head=loaded.head, revision=loaded.revision, new=new, changed=changed))
    found = bench.load(loaded.head.id)
    assert [(one.task, one.reason) for one in found.attempts] == [("a", "x"), ("b", None)]


def with_driver(url: str, driver: str) -> str:
    """Return the URL of the same database with another driver."""
    return make_url(url).set(drivername=f"postgresql+{driver}").render_as_string(hide_password=False)


def backend_pid(bench: Bench) -> int:
    """Return the process id of the server's end of the pool's one connection, without a word to the server."""
    with bench.engine.connect() as connection:
        return int(connection.connection.dbapi_connection.info.backend_pid)  # type: ignore[union-attr]


def collecting(statements: list[str]) -> Callable[..., None]:
    """Return a listener that notes statements."""

    def listen(_connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    return listen


def test_a_batch_is_one_statement_on_a_connection_that_knows_the_call(postgres_url: str) -> None:
    """Fence, heads and attempts take one round trip; only the first batch of a connection teaches it."""
    bench = make_bench(open_engine(postgres_url, "master", pool_size=1))
    loaded = bench.run_with("a")
    statements: list[str] = []

    with listening(bench.engine, "before_cursor_execute", collecting(statements)):
        bench.commit(InstanceChange(head=loaded.head, revision=loaded.revision, changed=loaded.attempts))

    assert len(statements) == 1
    assert "group_commit" in statements[0]
    bench.engine.dispose()


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_nothing_is_said_to_the_server_after_the_call(postgres_url: str, driver: str) -> None:
    """Neither the driver nor the pool adds a round trip, and transactions begin again as usual."""
    # Teeth: fails (SET default_transaction_isolation) with SQLAlchemy's isolation level AUTOCOMMIT and psycopg2.
    bench = make_bench(open_engine(with_driver(postgres_url, driver), "master", pool_size=1))
    loaded, other = bench.run_with("a"), create_engine(postgres_url)
    for _ in range(2):
        bench.commit(InstanceChange(head=loaded.head, revision=loaded.revision))
        loaded = replace(loaded, revision=loaded.revision + 1)

    with other.connect() as connection:
        said = connection.scalar(text(LAST_SAID), {"pid": backend_pid(bench)})
    assert "group_commit" in said
    with writing(bench.engine) as connection:
        connection.execute(text("UPDATE workflow_instance SET reason = 'x'"))
        with other.connect() as looking:
            assert looking.scalar(text("SELECT reason FROM workflow_instance")) is None
    other.dispose()
    bench.engine.dispose()


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_a_connection_that_dies_after_the_call_undoes_nothing(postgres_url: str, driver: str) -> None:
    """The reply has come: the batch is committed, and whoever takes the connection next finds it dead."""
    # Teeth: fails (an error of the driver itself) with SQLAlchemy's isolation level AUTOCOMMIT and psycopg2.
    bench = make_bench(open_engine(with_driver(postgres_url, driver), "master", pool_size=1))
    loaded = bench.run_with("a")
    bench.commit(InstanceChange(head=loaded.head, revision=loaded.revision))
    admin = create_engine(postgres_url, isolation_level="AUTOCOMMIT")

    def end(used: Connection, *_: Any) -> None:
        with admin.connect() as connection:
            pid = used.connection.dbapi_connection.info.backend_pid  # type: ignore[union-attr]
            connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})

    with listening(bench.engine, "after_cursor_execute", end):
        changed = replace(loaded.head, reason="x")
        bench.commit(InstanceChange(head=changed, revision=loaded.revision + 1))

    admin.dispose()
    bench.engine.dispose()
    assert bench.load(loaded.head.id).head.reason == "x"
    bench.engine.dispose()


def test_attempts_are_withdrawn_by_the_call_too(postgres_url: str) -> None:
    """A person's recover of thousands of tasks is one round trip; a row that is not the current one is refused."""
    bench = make_bench(open_engine(postgres_url, "master", pool_size=1))
    loaded = bench.run_with("a", "b")
    statements: list[str] = []

    with listening(bench.engine, "before_cursor_execute", collecting(statements)):
        withdrawing = InstanceChange(
            head=loaded.head, revision=loaded.revision, withdrawn=loaded.attempts[:1]
        )
        bench.commit(withdrawing)
    with pytest.raises(RevisionLost):
        bench.commit(replace(withdrawing, revision=loaded.revision + 1))

    assert len(statements) == 1
    assert [one.task for one in bench.load(loaded.head.id).attempts] == ["b"]
    bench.engine.dispose()


def test_a_call_that_is_the_whole_transaction_is_refused_as_a_whole(postgres_url: str) -> None:
    """One run is not what memory took it for: nothing of the others stays either, although they were written."""
    # Teeth: fails when the function returns what is missing instead of raising.
    bench = make_bench(open_engine(postgres_url, "master", pool_size=1))
    good, bad = bench.run_with("a"), bench.run_with("a")
    before = bench.contents()

    with pytest.raises(RevisionLost) as raised:
        bench.commit(
            InstanceChange(head=replace(good.head, reason="x"), revision=good.revision),
            InstanceChange(head=replace(bad.head, reason="x"), revision=bad.revision + 1),
        )

    assert raised.value.workflow_instance_ids == (bad.head.id,)
    assert bench.contents() == before
    bench.engine.dispose()


@pytest.mark.parametrize(
    ("broken", "written"),
    [
        ("{call}, LATERAL (SELECT {end} OFFSET 0 * cardinality(lost)) AS cut", False),
        ("{call}; COMMIT; SELECT {end}", True),
    ],
    ids=["before it is committed", "before the reply is sent"],
)
def test_a_connection_that_dies_in_the_call_leaves_it_in_doubt(
    postgres_url: str, broken: str, *, written: bool
) -> None:
    """Whoever has no reply does not know; the rows do."""
    # Teeth: fails without `translated_at_once` in `session.at_once`.
    bench = make_bench(open_engine(postgres_url, "master", pool_size=1))
    loaded = bench.run_with("a")
    end = "pg_terminate_backend(pg_backend_pid())"

    def cut(_connection: Connection, _cursor: Any, statement: str, given: Any, *_: Any) -> Any:
        return broken.format(call=statement, end=end), given

    with listening(bench.engine, "before_cursor_execute", cut, retval=True), pytest.raises(CommitInDoubt):
        bench.commit(InstanceChange(head=replace(loaded.head, reason="x"), revision=loaded.revision))

    assert bench.load(loaded.head.id).head.reason == ("x" if written else None)
    bench.engine.dispose()


def test_a_first_batch_that_is_refused_leaves_a_usable_connection(postgres_url: str) -> None:
    """A rollback removes the function that the connection was taught; the next batch teaches it again."""
    # Teeth: fails when `is_possible` itself notes that the connection has the function.
    bench = make_bench(open_engine(postgres_url, "master", pool_size=1))
    loaded = bench.submit_and_load()

    with pytest.raises(RevisionLost):
        bench.commit(InstanceChange(head=loaded.head, revision=loaded.revision + 7))

    write_one(bench)
    bench.engine.dispose()


@pytest.mark.parametrize(
    "prohibition",
    [FORBID_TEMPORARY, FORBID_LANGUAGE, FORBID_DDL],
    ids=["temporary objects", "language", "event trigger"],
)
def test_where_the_function_is_forbidden_plain_statements_commit(postgres_url: str, prohibition: str) -> None:
    """A hardened database loses speed, not the fence, the guards or the rows.

    Teeth: fails without the savepoint of `_teach`; without the note that the connection cannot have the function.
    """
    statements: list[str] = []
    with hardened(postgres_url, prohibition) as url:
        bench = make_bench(open_engine(url, "master", pool_size=1))
        write_one(bench)
        with listening(bench.engine, "before_cursor_execute", collecting(statements)):
            loaded = bench.submit_and_load()
            with pytest.raises(RevisionLost):
                bench.commit(InstanceChange(head=loaded.head, revision=loaded.revision + 7))
            with pytest.raises(LeaseLost):
                replace(bench, leases=replace(bench.leases, owner="somebody else")).commit()
        bench.engine.dispose()
    assert not any("group_commit" in one for one in statements)


def test_a_database_that_goes_away_while_it_teaches_is_no_prohibition(postgres_url: str) -> None:
    """It is an outage as any other; the connection is not noted as one that cannot have the function."""
    # Teeth: fails without the look at `reason_unavailable` in `_teach`.
    bench = make_bench(open_engine(postgres_url, "master", pool_size=1))
    tried: list[None] = []

    def cancel_once(_connection: Connection, _cursor: Any, statement: str, given: Any, *_: Any) -> Any:
        if "CREATE OR REPLACE" not in statement or tried:
            return statement, given
        tried.append(None)
        return "DO $$ BEGIN RAISE EXCEPTION 'cancelled' USING ERRCODE = '57014'; END $$", given

    event.listen(bench.engine, "before_cursor_execute", cancel_once, retval=True)
    with pytest.raises(StoreUnavailable):
        bench.commit()
    write_one(bench)

    with bench.engine.connect() as connection:
        assert connection.info[one_call.KNOWN] is True
    bench.engine.dispose()


@pytest.mark.parametrize("reset", ["DISCARD ALL", "DISCARD TEMP"])
def test_a_session_that_lost_the_function_is_taught_again(postgres_url: str, reset: str) -> None:
    """A pooler reset it: one batch is tried again, none fails for ever.

    Teeth: fails (ProgrammingError, again and again) without the `except` of `one_call.write`.
    """
    bench = make_bench(open_engine(postgres_url, "master", pool_size=1))
    write_one(bench)
    with bench.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(reset)

    with pytest.raises(StoreUnavailable, match="session pooling"):
        bench.commit()

    write_one(bench)
    bench.engine.dispose()


def test_a_session_that_was_exchanged_is_taught_again(postgres_url: str) -> None:
    """A pooler gave another one, which never had a temporary object: PostgreSQL even misses the schema."""
    bench = make_bench(open_engine(postgres_url, "master", pool_size=1))
    bench.engine.dispose()
    event.listen(
        bench.engine, "connect", lambda _, record: record.info.update({one_call.KNOWN: True}), once=True
    )

    with pytest.raises(StoreUnavailable, match="session pooling"):
        bench.commit()

    write_one(bench)
    bench.engine.dispose()


def test_another_version_of_the_function_is_another_function() -> None:
    """Its name says what it does: sessions that two versions of the program share do not mix them up."""
    assert re.fullmatch(r"pg_temp\.orchestrator_group_commit_[0-9a-f]{12}", one_call.FUNCTION)
    assert len(one_call.FUNCTION.partition(".")[2]) < 64, "PostgreSQL cuts longer names off"
    assert sha256(one_call.DEFINITION.encode()).hexdigest().startswith(one_call.FUNCTION[-12:])


@pytest.mark.parametrize(
    "prohibition", ["SELECT 1", FORBID_TEMPORARY], ids=["by the call", "by plain statements"]
)
def test_a_server_that_takes_the_tables_for_empty_finds_each_row_by_its_key(
    postgres_url: str, prohibition: str
) -> None:
    """Its statistics are of a time without rows; a big batch is within its time limit all the same.

    Teeth: as one UPDATE … FROM json_populate_recordset in the call, whose plans use no hashes, the server compares
    25,000,000 pairs of rows, and gives up. As a plain statement that was slow only now and then.
    """
    admin = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with hardened(postgres_url, prohibition) as url:
        bench = make_bench(open_engine(url, "master", pool_size=1, lease_s=30.0))
        loaded = bench.submit_and_load()
        with admin.connect() as connection:
            connection.execute(text("ANALYZE task_instance"))
        admin.dispose()
        attempts = tuple(make_attempt(loaded, f"t{n}", sequence=n) for n in range(1, 5_001))
        bench.commit(InstanceChange(head=loaded.head, revision=0, new=attempts))

        changed = tuple(replace(one, reason="x") for one in attempts)
        bench.commit(InstanceChange(head=loaded.head, revision=1, changed=changed))

        assert {one.reason for one in bench.load(loaded.head.id).attempts} == {"x"}
        bench.engine.dispose()


def test_an_attempt_that_is_changed_twice_is_written_as_it_was_left(postgres_url: str) -> None:
    """Rows are written in the order of the batch, as memory was changed."""
    bench = make_bench(open_engine(postgres_url, "master", pool_size=1))
    loaded = bench.run_with("a")
    changed = tuple(replace(loaded.attempts[0], reason=reason) for reason in ("first", "last"))

    bench.commit(InstanceChange(head=loaded.head, revision=loaded.revision, changed=changed))

    assert [one.reason for one in bench.load(loaded.head.id).attempts] == ["last"]
    bench.engine.dispose()
