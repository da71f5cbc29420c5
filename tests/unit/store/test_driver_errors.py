"""Which driver error means that the database is away, and what an unanswered COMMIT means."""

import sqlite3

import pytest
from sqlalchemy import exc

from orchestrator.errors import CommitInDoubt, SettingsError, StoreUnavailable
from orchestrator.store.driver_errors import reason_unavailable, translated, translated_commit


class PostgresError(Exception):
    """A driver's error as psycopg2 makes it."""

    def __init__(self, pgcode: str | None, message: str = "message\nDETAIL: more") -> None:
        super().__init__(message)
        self.pgcode = pgcode


class Psycopg3Error(Exception):
    """A driver's error as psycopg 3 makes it."""

    sqlstate = "57P01"


def make_error(original: Exception, *, lost: bool = False) -> exc.OperationalError:
    """Return the error as SQLAlchemy wraps it."""
    return exc.OperationalError("SELECT 1", {}, original, connection_invalidated=lost)


def make_sqlite_error(code: int) -> exc.OperationalError:
    """Return SQLite's error of this (extended) code."""
    original = sqlite3.OperationalError("message")
    vars(original)["sqlite_errorcode"] = code
    return make_error(original)


@pytest.mark.parametrize(
    "state",
    [None, "08006", "57P01", "57P03", "57014", "53300", "53100", "55P03", "40001", "40P01", "25P03", "25006"],
)
def test_absent_postgresql_is_recognised(state: str | None) -> None:
    """No answer, a restart, a limit that was reached, a standby: all of it passes by itself."""
    assert reason_unavailable(make_error(PostgresError(state))) is not None


@pytest.mark.parametrize("state", ["42P01", "42601", "23505", "22P05", "28P01"])
def test_bug_on_postgresql_is_no_outage(state: str) -> None:
    """A missing table, wrong SQL, a wrong row or password does not get better by waiting."""
    assert reason_unavailable(make_error(PostgresError(state))) is None


def test_lost_connection_is_an_outage_whatever_the_state_says() -> None:
    """SQLAlchemy has seen that the connection is gone."""
    assert reason_unavailable(make_error(PostgresError("42P01"), lost=True)) is not None


def test_state_of_psycopg_3_is_read_too() -> None:
    """Both drivers mean the same."""
    assert reason_unavailable(make_error(Psycopg3Error())) is not None


def test_reason_is_one_line() -> None:
    """It goes into log lines and messages."""
    assert reason_unavailable(make_error(PostgresError("57P01"))) == "the database does not answer: message"


@pytest.mark.parametrize(
    "code",
    [
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_BUSY_SNAPSHOT,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
    ],
)
def test_busy_or_full_sqlite_is_an_outage(code: int) -> None:
    """Extended codes count as what they extend."""
    assert reason_unavailable(make_sqlite_error(code)) is not None


@pytest.mark.parametrize("code", [sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_CORRUPT])
def test_bug_on_sqlite_is_no_outage(code: int) -> None:
    """Wrong SQL, a wrong row, a broken file."""
    assert reason_unavailable(make_sqlite_error(code)) is None


def test_outage_leaves_as_unavailable_and_a_bug_as_itself() -> None:
    """The cause is kept."""
    away, bug = make_error(PostgresError("57P01")), make_error(PostgresError("42P01"))

    with pytest.raises(StoreUnavailable) as raised, translated():
        raise away
    assert raised.value.__cause__ is away
    with pytest.raises(exc.OperationalError), translated():
        raise bug


@pytest.mark.parametrize("state", [None, "57P01", "08006", "XX000"])
def test_commit_without_a_clear_answer_is_in_doubt(state: str | None) -> None:
    """Only what says for certain that it was rolled back is not in doubt."""
    with pytest.raises(CommitInDoubt), translated_commit():
        raise make_error(PostgresError(state))


def test_commit_that_was_refused_is_not_in_doubt() -> None:
    """A serialization failure did not happen; a constraint is a bug."""
    with pytest.raises(StoreUnavailable) as raised, translated_commit():
        raise make_error(PostgresError("40001"))
    assert not isinstance(raised.value, CommitInDoubt)
    with pytest.raises(exc.OperationalError), translated_commit():
        raise make_error(PostgresError("23505"))


def test_sqlite_is_in_doubt_only_when_the_disk_did_not_answer() -> None:
    """Busy or full: the commit did not happen."""
    with pytest.raises(CommitInDoubt), translated_commit():
        raise make_sqlite_error(sqlite3.SQLITE_IOERR_FSYNC)
    with pytest.raises(StoreUnavailable) as raised, translated_commit():
        raise make_sqlite_error(sqlite3.SQLITE_FULL)
    assert not isinstance(raised.value, CommitInDoubt)


@pytest.mark.parametrize("code", [sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT])
def test_file_that_is_no_database_is_a_fault_of_the_settings(code: int) -> None:
    """Waiting mends nothing: the file and what to do are named."""
    with (
        pytest.raises(SettingsError, match=r"^the database file /srv/o\.db .* ORCHESTRATOR_DATABASE_URL"),
        translated("/srv/o.db"),
    ):
        raise make_sqlite_error(code)
