"""Owns the ways in which a commit fails."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, event, exc, update

from orchestrator.core.changes import Changes, Leases
from orchestrator.errors import CommitInDoubt, LeaseLost, StoreUnavailable
from orchestrator.master.outside import Committer
from orchestrator.store import schema
from orchestrator.store.session import writing
from tests.world import World

TERMINATE = "SELECT pg_terminate_backend(pg_backend_pid())"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way to fail.

    Attributes:
        during: While this is entered, commits of the world fail.
        commits: The transaction is done although the master hears of a failure.
        only_writes: A batch that writes no run's row does not meet it.
        only_held: A run that is loaded in the same turn does not meet it.
    """

    name: str
    during: Callable[[World], Any]
    commits: bool = False
    only_writes: bool = False
    only_held: bool = False
    loses_lease: bool = False

    def __str__(self) -> str:
        """Name it in a test's id."""
        return self.name


@dataclass(frozen=True, slots=True)
class Failing:
    """A committer that raises, before or after it really commits."""

    real: Committer
    error: Exception
    commits: bool = False

    def commit(self, changes: Changes, leases: Leases) -> datetime:
        """Fail."""
        if self.commits:
            self.real.commit(changes, leases)
        raise self.error


def raising(error: Exception, *, commits: bool = False) -> Callable[[World], Any]:
    """Return a context in which the committer raises."""

    @contextmanager
    def during(world: World) -> Iterator[None]:
        world.rig.committer = Failing(world.rig.commit, error, commits)
        yield
        world.rig.committer = world.rig.commit

    return during


@contextmanager
def cut_off_at_once(world: World) -> Iterator[None]:
    """The server ends the connection when one call has written everything and has not committed it."""

    def cut_off(connection: Connection, _cursor: Any, statement: str, given: Any, *_rest: Any) -> Any:
        if "group_commit" in statement and getattr(
            connection.connection.dbapi_connection, "autocommit", False
        ):
            statement += f", LATERAL ({TERMINATE} OFFSET 0 * cardinality(lost)) AS after_the_call"
        return statement, given

    event.listen(world.rig.engine, "before_cursor_execute", cut_off, retval=True)
    try:
        yield
    finally:
        event.remove(world.rig.engine, "before_cursor_execute", cut_off)


@contextmanager
def in_flush(world: World) -> Iterator[None]:
    """The database goes away right after the fence, or after the first row was written."""

    def listen(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        written = statement.startswith(("UPDATE", "INSERT", "DELETE")) or "group_commit" in statement
        if written or "slot_lease" in statement:
            raise exc.OperationalError(statement, None, Exception("server closed the connection"))

    event.listen(world.rig.engine, "after_cursor_execute", listen)
    try:
        with cut_off_at_once(world):
            yield
    finally:
        event.remove(world.rig.engine, "after_cursor_execute", listen)


@contextmanager
def unreadable(world: World, table: str) -> Iterator[None]:
    """The database goes away whenever a table is read."""

    def listen(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("SELECT") and table in statement:
            raise exc.OperationalError(statement, None, Exception("server closed the connection"))

    event.listen(world.rig.engine, "before_cursor_execute", listen)
    try:
        yield
    finally:
        event.remove(world.rig.engine, "before_cursor_execute", listen)


@contextmanager
def after_flush(world: World) -> Iterator[None]:
    """Everything was written, and the COMMIT never reaches the database: it is in doubt, and not done."""

    def listen(_connection: Any) -> None:
        raise exc.OperationalError("COMMIT", None, Exception("server closed the connection"))

    event.listen(world.rig.engine, "commit", listen)
    try:
        with cut_off_at_once(world):
            yield
    finally:
        event.remove(world.rig.engine, "commit", listen)


@contextmanager
def row_moved_on(world: World) -> Iterator[None]:
    """Somebody else has written the run's row meanwhile."""
    columns = schema.workflow_instance.c
    statement = update(schema.workflow_instance).where(columns.id == world.run)
    with writing(world.rig.engine) as connection:
        connection.execute(statement.values(revision=columns.revision + 1))
    yield


@contextmanager
def lease_moved_on(world: World) -> Iterator[None]:
    """Another master owns the slots."""
    columns = schema.slot_lease.c
    with writing(world.rig.engine) as connection:
        connection.execute(update(schema.slot_lease).values(owner="another", epoch=columns.epoch + 1))
    yield
    world.restart_master()


FAULTS = (
    Fault(name="before", during=raising(StoreUnavailable("gone"))),
    Fault(name="in flush", during=in_flush),
    Fault(name="after flush", during=after_flush),
    Fault(name="reply lost", during=raising(CommitInDoubt("no reply to COMMIT"), commits=True), commits=True),
    Fault(name="revision lost", during=row_moved_on, only_writes=True, only_held=True),
    Fault(name="lease lost", during=lease_moved_on, loses_lease=True),
    Fault(name="bug", during=raising(RuntimeError("a bug"))),
)


def fail_once(world: World, fault: Fault) -> None:
    """Let the loop take one turn whose commit fails."""
    try:
        world.step()
    except LeaseLost:
        assert fault.loses_lease, "only a lost lease may leave the loop"
    else:
        assert not fault.loses_lease, "a lost lease ends the loop"
