"""Owns the run of SQL statements in a program of their own, which the worker's watcher can end at any time.

Run as `python -P sql_program.py RESULT REQUEST`: REQUEST is a file with one JSON object (`url`, `statements`,
`fetch`, `limit`), which is removed at once; RESULT is written: `{"outputs": …}`, or `{"reason": …, "error": …}`
and exit code 1. A worker itself never imports SQLAlchemy. Standard library and SQLAlchemy only; nothing else of
this package.
"""

import base64
import json
import math
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import event, exc
from sqlalchemy.engine import Connection, CursorResult, Engine
from sqlalchemy.pool import NullPool

CANCEL_S = 3.0
"""How long a database may take to give a statement up, once it was asked to."""

SAFE_INTEGER = 2**63


class Failed(Exception):
    """The task failed; `error` is what `non_retryable` is compared with."""

    def __init__(self, reason: str, error: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.error = error


class Run:
    """The statements of one task, in one transaction.

    Args:
        request: What to do.
    """

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._request = request
        self._driver: Any = None
        self._is_cancelled = False

    def outputs(self) -> dict[str, Any]:
        """Return the task's outputs; the transaction is committed then.

        Raises:
            Failed: It is rolled back.
        """
        engine = open_engine(self._request["url"])
        try:
            with engine.begin() as connection:
                self._driver = connection.connection.driver_connection
                return self._execute_all(connection)
        except exc.SQLAlchemyError as error:  # connecting, or the commit
            raise failed(error) from None

    def cancel(self) -> None:
        """Begin no further statement, and ask the database to give this one up, where the driver can."""
        self._is_cancelled = True
        for name in ("cancel", "interrupt"):
            ask = getattr(self._driver, name, None)
            if ask is not None:
                ask()
                return

    def _execute_all(self, connection: Connection) -> dict[str, Any]:
        outputs: dict[str, Any] = {}
        has_rows = False
        for number, one in enumerate(self._request["statements"], start=1):
            self._check()
            try:
                result = connection.execute(statement(one), bound(one["values"]))
                if result.returns_rows or not has_rows:
                    outputs, has_rows = self._taken(result, number), result.returns_rows
            except exc.SQLAlchemyError as error:
                raise failed(error, f"statement {number}: ") from None
            sys.stdout.write(f"statement {number}: {_counted(result, outputs)}\n")
            sys.stdout.flush()
        self._check()
        return outputs

    def _check(self) -> None:
        if self._is_cancelled:
            raise Failed("interrupted", "Interrupted")

    def _taken(self, result: CursorResult[Any], number: int) -> dict[str, Any]:
        if not result.returns_rows:
            return {"row_count": result.rowcount} if result.rowcount >= 0 else {}
        names = list(result.keys())
        double = next((name for name in names if names.count(name) > 1), None)
        if double is not None and self._request["fetch"] != "none":
            raise Failed(
                f"statement {number}: two columns are named '{double}'; give one another name with AS",
                "InvalidOutput",
            )
        return self._rows(result, names)

    def _rows(self, result: CursorResult[Any], names: Sequence[str]) -> dict[str, Any]:
        fetch, kept, size, count = self._request["fetch"], [], 0, 0
        for row in result:
            count += 1
            if fetch == "all" or (fetch == "first" and count == 1):
                kept.append(dict(zip(names, map(plain, row), strict=True)))
                size += len(json.dumps(kept[-1], ensure_ascii=False).encode("utf-8", "surrogatepass"))
                if size > self._request["limit"]:
                    limit = self._request["limit"]
                    raise Failed(f"outputs too large: the rows have more than {limit} bytes", "InvalidOutput")
        match fetch:
            case "all":
                return {"rows": kept, "row_count": count}
            case "first":
                return {"row_count": count, **(kept[0] if kept else {})}
            case _:
                return {"row_count": count}


def open_engine(url: str) -> Engine:
    """Return an engine for `url` whose transactions hold everything, definitions of tables too.

    Raises:
        Failed: The URL cannot be read, or its driver is not installed.
    """
    try:
        parsed = sqlalchemy.make_url(url)
    except exc.ArgumentError:
        raise Failed(
            "is no SQLAlchemy URL; write dialect+driver://user:password@host/database", "InvalidConnection"
        ) from None
    try:
        engine = sqlalchemy.create_engine(parsed, poolclass=NullPool)
    except (ImportError, exc.NoSuchModuleError) as error:
        missing = getattr(error, "name", None) or parsed.drivername
        raise Failed(f"the driver '{missing}' is not installed on this worker", "DriverMissing") from None
    if engine.dialect.name == "sqlite":
        _begin_at_once(engine)
    return engine


def _begin_at_once(engine: Engine) -> None:
    """Make SQLite's driver leave transactions to us: by itself it begins none before a CREATE."""

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")


def statement(one: Mapping[str, Any]) -> sqlalchemy.TextClause:
    """Return a statement; a list that is bound becomes as many values: `IN ${ids}`."""
    text = sqlalchemy.text(one["text"])
    lists = [name for name, value in one["values"].items() if isinstance(value, list)]
    return text.bindparams(*(sqlalchemy.bindparam(name, expanding=True) for name in lists)) if lists else text


def bound(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as drivers take them: maps, and what is nested in lists, as JSON text."""
    return {
        name: [_scalar(one) for one in value] if isinstance(value, list) else _scalar(value)
        for name, value in values.items()
    }


def plain(value: Any) -> Any:
    """Return a column's value as JSON has it.

    Dates and times are ISO 8601, bytes base64, intervals seconds. A decimal is a number where a number holds it
    exactly, else text; so is an integer of more than 64 bits.
    """
    match value:
        case None | bool() | str():
            return value
        case int() | float() | Decimal():
            return _number(value)
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes() | bytearray() | memoryview():
            return base64.b64encode(value).decode()
        case _:
            return _container(value)


def _number(value: float | Decimal) -> Any:
    if isinstance(value, Decimal) and value.is_finite():
        if value.as_tuple().exponent == 0:
            return _number(int(value))
        near = float(value)
        return near if math.isfinite(near) and Decimal(repr(near)) == value else str(value)
    if isinstance(value, int):
        return value if -SAFE_INTEGER <= value < SAFE_INTEGER else str(value)
    return value if math.isfinite(value) else str(value)


def _container(value: Any) -> Any:
    match value:
        case Mapping():
            return {str(key): plain(one) for key, one in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(one) for one in value]
        case _:
            return str(value)


def _scalar(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value


def _counted(result: CursorResult[Any], outputs: Mapping[str, Any]) -> str:
    count = outputs.get("row_count") if result.returns_rows else result.rowcount
    return f"{count} rows" if isinstance(count, int) and count >= 0 else "done"


def failed(error: exc.SQLAlchemyError, place: str = "") -> Failed:
    """Return the failure for an error of the database, in its driver's words."""
    told = getattr(error, "orig", None) or error
    return Failed(f"{place}{type(told).__name__}: {one_line(told)}", type(told).__name__)


def one_line(error: BaseException) -> str:
    """Return the message of an error on one line, without what SQLAlchemy adds to it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(line for line in lines if not line.startswith(("[SQL:", "[parameters:", "(Background")))[
        :500
    ]


def main(result: str, request: str) -> int:
    """Carry out the file `request`, write the file `result`, and return the exit code."""
    run = Run(_read(request))
    answer: dict[str, Any] = {}
    # in a thread of its own, so that this one hears signals while the driver waits for the database
    work = threading.Thread(target=lambda: answer.update(_answer(run)), name="statements", daemon=True)
    previous = signal.signal(signal.SIGTERM, lambda *_: _give_up(run))
    work.start()
    work.join()
    signal.signal(signal.SIGTERM, previous)
    Path(result).write_text(json.dumps(answer), encoding="utf-8", errors="surrogatepass")
    return 0 if "outputs" in answer else 1


def _answer(run: Run) -> dict[str, Any]:
    try:
        return {"outputs": run.outputs()}
    except Failed as failed:
        return {"reason": failed.reason, "error": failed.error}
    except Exception as error:  # noqa: BLE001 - drivers raise what they like
        return {"reason": f"{type(error).__name__}: {one_line(error)}", "error": type(error).__name__}


def _give_up(run: Run) -> None:
    timer = threading.Timer(CANCEL_S, os._exit, (128 + signal.SIGTERM,))
    timer.daemon = True
    timer.start()
    run.cancel()


def _read(path: str) -> Any:
    file = Path(path)
    request = json.loads(file.read_text(encoding="utf-8"))
    file.unlink()  # the connection's password stands in it
    return request


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
