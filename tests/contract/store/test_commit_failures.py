"""A commit that fails, wherever it fails, leaves the database as it was; a lost reply leaves it in doubt."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, exc, text

from orchestrator.core.changes import Changes, InstanceChange
from orchestrator.core.status import TaskState
from orchestrator.errors import CommitInDoubt, StoreUnavailable
from orchestrator.store.instances import Instances
from orchestrator.store.outbox import Outbox
from orchestrator.store.session import is_postgres, open_engine, writing
from tests.contract.store.bench import Bench, listening, make_alert, make_attempt, make_bench, make_mail


class Broken(Exception):
    """What a test breaks a commit with."""


class Countdown:
    """Raises at the N-th statement, and counts them."""

    def __init__(self, fail_at: int) -> None:
        self.fail_at = fail_at
        self.seen = 0

    def __call__(self, *_: Any) -> None:
        """Count one statement."""
        self.seen += 1
        if self.seen == self.fail_at:
            raise Broken


def make_full_batch(bench: Bench) -> Changes:
    """Return a batch that writes rows of every kind."""
    loaded = bench.run_with("a")
    other = bench.submit_and_load()
    ended = replace(loaded.attempts[0], state=TaskState.SUCCESS, outputs={"rows": 42})
    start, second = bench.commands.pending(range(64), 10)
    return Changes(
        instances=(
            InstanceChange(
                head=replace(loaded.head, next_sequence=3),
                revision=1,
                changed=(ended,),
                new=(make_attempt(loaded, "b", sequence=2),),
            ),
            InstanceChange(head=other.head, revision=0),
        ),
        done_commands=(start.id,),
        failed_commands={second.id: "no"},
        mail=(make_mail(loaded),),
        alerts=(make_alert(loaded),),
    )


def count_statements(bench: Bench, batch: Changes) -> int:
    """Return how many statements this batch takes, without committing it."""
    counter = Countdown(fail_at=-1)

    def refuse(_: Connection) -> None:
        raise Broken

    with (
        listening(bench.engine, "before_cursor_execute", counter),
        listening(bench.engine, "commit", refuse),
        pytest.raises(Broken),
    ):
        bench.committer.commit(batch, bench.leases)
    return counter.seen


@pytest.mark.parametrize("moment", ["before_cursor_execute", "after_cursor_execute"])
def test_exception_at_any_statement_leaves_the_database_unchanged(bench: Bench, moment: str) -> None:
    """I2: before, in or after the flush: nothing is written, and the same batch is written afterwards."""
    # Teeth: fails without `_abandon` in `session.writing`.
    batch = make_full_batch(bench)
    before = bench.contents()
    statements = count_statements(bench, batch)

    for number in range(1, statements + 1):
        with listening(bench.engine, moment, Countdown(number)), pytest.raises(Broken):
            bench.committer.commit(batch, bench.leases)
        assert bench.contents() == before

    bench.committer.commit(batch, bench.leases)
    assert len(bench.contents()["task_instance"]) == 2
    assert statements >= 5  # on PostgreSQL, fence and rows are one call


def lose_reply(engine: Engine, *, before: bool) -> Callable[[Connection], None]:
    """Return a listener that loses the connection around COMMIT, before or after it happened."""

    def listener(connection: Connection) -> None:
        raw = connection.connection.dbapi_connection
        assert raw is not None
        if not before:
            raw.commit()
        driver_error: Any = engine.dialect.loaded_dbapi.OperationalError(
            "server closed the connection unexpectedly"
        )
        if not is_postgres(engine):
            driver_error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise exc.OperationalError("COMMIT", {}, driver_error)

    return listener


@pytest.mark.parametrize("before", [True, False])
def test_lost_reply_of_a_commit_is_in_doubt(bench: Bench, *, before: bool) -> None:
    """I14: the store says that it does not know; loading under a lock then shows what is true."""
    # Teeth: fails without `_abandon`: the next user of the connection commits the batch.
    batch = make_full_batch(bench)
    number = batch.instances[0].head.id

    with (
        listening(bench.engine, "commit", lose_reply(bench.engine, before=before)),
        pytest.raises(CommitInDoubt),
    ):
        bench.committer.commit(batch, bench.leases)

    loaded = bench.instances.load([number], lock=True)[number]
    assert loaded.revision == (1 if before else 2)
    assert loaded.attempts[0].state is (TaskState.SUBMITTED if before else TaskState.SUCCESS)


def test_loading_under_a_lock_waits_for_a_commit_in_doubt(postgres_url: str) -> None:
    """R6: what the old connection may still be committing is not read before it is decided."""
    # Teeth: fails without `with_for_update` in `instances._heads`.
    bench = make_bench(open_engine(postgres_url, "master"))
    impatient = Instances(open_engine(postgres_url, "master", lease_s=2.0))
    run = bench.run_with("a")
    number = run.head.id

    with writing(bench.engine) as undecided:
        undecided.execute(text("UPDATE workflow_instance SET revision = 2"))
        assert impatient.load([number])[number].revision == 1
        with pytest.raises(StoreUnavailable):
            impatient.load([number], lock=True)

    assert impatient.load([number], lock=True)[number].revision == 2


def test_connection_that_dies_in_the_middle_is_unavailable(postgres_url: str) -> None:
    """A broken connection is never a bug and never half a batch; the next commit has a new connection."""
    bench = make_bench(open_engine(postgres_url, "master"))
    batch = make_full_batch(bench)
    before = bench.contents()
    cut = Countdown(fail_at=-1)

    def terminate(connection: Connection, *_: Any) -> None:
        cut()
        if cut.seen == 4:
            with bench.engine.connect() as other:
                pid = connection.connection.driver_connection.get_backend_pid()  # type: ignore[union-attr]  # psycopg2's
                other.exec_driver_sql(f"SELECT pg_terminate_backend({pid}, 5000)")

    with (
        listening(bench.engine, "before_cursor_execute", terminate),
        pytest.raises(StoreUnavailable) as raised,
    ):
        bench.committer.commit(batch, bench.leases)

    assert not isinstance(raised.value, CommitInDoubt)
    assert bench.contents() == before
    bench.committer.commit(batch, bench.leases)
    bench.engine.dispose()


def test_bug_in_a_statement_leaves_as_itself(bench: Bench) -> None:
    """Only an absent database is called absent: a wrong row is a bug, and nothing of its batch is written."""
    loaded = bench.run_with("a")
    before = bench.contents()

    with pytest.raises(exc.IntegrityError):
        bench.commit(InstanceChange(head=loaded.head, revision=1, new=(make_attempt(loaded, "a"),)))

    assert bench.contents() == before


def test_second_current_attempt_is_refused_by_the_database(bench: Bench) -> None:
    """Exactly one attempt of a task is current, whoever writes."""
    loaded = bench.run_with("a")

    with pytest.raises(exc.IntegrityError):
        bench.commit(
            InstanceChange(
                head=loaded.head, revision=1, new=(make_attempt(loaded, "a", attempt=2, sequence=2),)
            )
        )


def test_database_without_tables_is_a_bug_not_an_outage(engine: Engine) -> None:
    """A missing table would never come back by waiting."""
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE outbox"))

    with pytest.raises(exc.DBAPIError):
        Outbox(engine).due([1], 1)
