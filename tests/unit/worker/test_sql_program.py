"""The program of a sql task, inside this process, on SQLite in memory or in a file."""

import json
import sqlite3
import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from orchestrator.worker.executors.sql_program import Failed, Run, main, plain
from orchestrator.worker.executors.sql_statements import split


def request_of(
    sql: str, values: Mapping[str, Any] | None = None, *, url: str = "sqlite://", **fields: Any
) -> dict[str, Any]:
    """Return a request as the executor writes it."""
    given = values or {}
    statements = [
        {"text": one.text, "values": {f"p{n}": given[path] for n, path in enumerate(one.paths)}}
        for one in split(sql, url.partition(":")[0])
    ]
    return {"url": url, "statements": statements, "fetch": "first", "limit": 65536, **fields}


def run(sql: str, values: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """Run statements on an empty database."""
    return Run(request_of(sql, values, **fields)).outputs()


ROWS = "CREATE TABLE a (id, name); INSERT INTO a VALUES (1, 'x'), (2, 'y')"


def run_on_rows(sql: str, **fields: Any) -> dict[str, Any]:
    """Run statements on a database with a table of two rows."""
    return run(f"{ROWS}; {sql}", **fields)


@pytest.mark.parametrize(
    ("fetch", "expected"),
    [
        ("first", {"id": 1, "name": "x", "row_count": 2}),
        ("all", {"rows": [{"id": 1, "name": "x"}, {"id": 2, "name": "y"}], "row_count": 2}),
        ("none", {"row_count": 2}),
    ],
)
def test_fetch_says_what_the_outputs_are(fetch: str, expected: dict[str, Any]) -> None:
    """The first row's columns, all rows, or neither; the number of rows always."""
    assert run_on_rows("SELECT id, name FROM a ORDER BY id", fetch=fetch) == expected


def test_the_last_statement_with_rows_counts() -> None:
    """What comes behind it only does its work; without any, the last statement's number of rows is told."""
    assert run_on_rows("SELECT 5 AS n; DELETE FROM a") == {"n": 5, "row_count": 1}
    assert run_on_rows("UPDATE a SET id = 0") == {"row_count": 2}


def test_no_row_is_no_column() -> None:
    """`row_count` says so."""
    assert run("SELECT 1 AS n WHERE 1 = 0") == {"row_count": 0}
    assert run("SELECT 1 AS n WHERE 1 = 0", fetch="all") == {"rows": [], "row_count": 0}


def test_parameters_are_values() -> None:
    """No text is pasted: quotes and semicolons stay text; a list is for IN, a map is JSON."""
    values = {"text": "'; DROP TABLE a; --", "ids": [2, 3], "none": [], "map": {"k": [1]}, "null": None}
    sql = (
        "SELECT ${text} AS text, 2 IN ${ids} AS found, 2 IN ${none} AS missing, ${map} AS map, "
        "${null} IS NULL AS empty, '10:30' AS colon, 7 % 4 AS rest"
    )

    assert run(sql, values) == {
        "text": values["text"], "found": 1, "missing": 0, "map": '{"k": [1]}', "empty": 1, "colon": "10:30",
        "rest": 3, "row_count": 1,
    }  # fmt: skip


def test_all_statements_are_one_transaction(tmp_path: Path) -> None:
    """A failing one takes everything back, a table's creation too; the message names the statement."""
    url = f"sqlite:///{tmp_path / 'shop.db'}"

    with pytest.raises(Failed, match=r"^statement 3: OperationalError: no such table: b$") as failed:
        run("CREATE TABLE a (id); INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)", url=url)

    assert failed.value.error == "OperationalError"
    assert sqlite3.connect(tmp_path / "shop.db").execute("SELECT count(*) FROM sqlite_master").fetchone() == (
        0,
    )
    run(ROWS, url=url)
    assert run("SELECT count(*) AS n FROM a", url=url)["n"] == 2


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("not a url", "is no SQLAlchemy URL"),
        ("nonsense://u:hidden@h/d", "the driver 'nonsense' is not installed on this worker"),
        ("oracle+oracledb://u:hidden@h/d", "the driver 'oracledb' is not installed on this worker"),
        ("sqlite:////no/such/directory/a.db", "OperationalError: unable to open database file"),
    ],
)
def test_a_connection_that_cannot_work_is_a_failure(url: str, reason: str) -> None:
    """In one line, without the password."""
    with pytest.raises(Failed, match=reason) as failed:
        Run({"url": url, "statements": [], "fetch": "first", "limit": 1}).outputs()

    assert "hidden" not in failed.value.reason


def test_syntax_errors_are_the_databases_own_words() -> None:
    """And nothing of SQLAlchemy's."""
    with pytest.raises(Failed, match=r'^statement 1: OperationalError: near "SELEC": syntax error$'):
        run("SELEC ${x}", {"x": "hidden"})


def test_too_many_rows_are_a_failure() -> None:
    """Read no further than outputs may be large; the task is taken back."""
    series = (
        "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 100000) SELECT n FROM s"
    )

    with pytest.raises(Failed, match="outputs too large: the rows have more than 65536 bytes"):
        run(series, fetch="all")
    assert run(series, fetch="none") == {"row_count": 100000}


def test_columns_need_names_of_their_own() -> None:
    """One would hide the other."""
    with pytest.raises(Failed, match="two columns are named 'a'; give one another name with AS"):
        run("SELECT 1 AS a, 2 AS a")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (date(2026, 11, 1), "2026-11-01"),
        (datetime(2026, 11, 1, 2, 3, tzinfo=UTC), "2026-11-01T02:03:00+00:00"),
        (time(2, 3), "02:03:00"),
        (timedelta(minutes=1, milliseconds=500), 60.5),
        (Decimal("12.50"), 12.5),
        (Decimal(3000000000), 3000000000),
        (Decimal("0.1234567890123456789"), "0.1234567890123456789"),
        (Decimal("1E+400"), "1E+400"),
        (Decimal("NaN"), "NaN"),
        (float("inf"), "inf"),
        (2**63, str(2**63)),
        (True, True),
        (b"\x00\xff", "AP8="),
        (memoryview(b"a"), "YQ=="),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (ip_address("10.0.0.1"), "10.0.0.1"),
        ({"a": [Decimal(1), None]}, {"a": [1, None]}),
    ],
)
def test_values_become_json(value: Any, expected: Any) -> None:
    """Nothing is lost: what no JSON number holds exactly is text."""
    assert plain(value) == expected
    assert type(plain(value)) is type(expected)


def test_the_request_is_removed_and_the_answer_written(tmp_path: Path) -> None:
    """The file with the connection's password is gone before anything is done."""
    request, result = tmp_path / "request", tmp_path / "result"
    request.write_text(json.dumps(request_of("SELECT 1 AS n")))

    assert main(str(result), str(request)) == 0
    assert json.loads(result.read_text()) == {"outputs": {"n": 1, "row_count": 1}}
    request.write_text(json.dumps(request_of("SELECT n")))
    assert main(str(result), str(request)) == 1
    assert json.loads(result.read_text())["error"] == "OperationalError"
    assert not request.exists()
