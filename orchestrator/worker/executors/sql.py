"""Owns the task type `sql`: statements on one of the worker's connections, in one transaction."""

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from orchestrator.config import setting_name
from orchestrator.core.order import Order
from orchestrator.core.secrets import SCHEME
from orchestrator.setting_paths import absolute_database
from orchestrator.worker.executors.environment import with_bundle
from orchestrator.worker.executors.port import Finished, TaskFailure, Workplace
from orchestrator.worker.executors.script import Program, ScriptWork
from orchestrator.worker.executors.sql_statements import SqlFault, Statement, split
from orchestrator.worker.outputs import LIMIT_BYTES, checked

PROGRAM = Path(__file__).with_name("sql_program.py")
PSYCOPG2 = ("postgresql://", "postgres://")


class SqlExecutor:
    """Runs `sql` in a program of its own, so that its end never waits for a driver."""

    def prepare(self, order: Order, workplace: Workplace) -> ScriptWork:
        """Read the statements, find the connection, and start the watcher.

        Raises:
            TaskFailure: The connection is unknown, or the text cannot be read as statements.
            SecretUnavailable: The connection's URL is a secret that this worker does not have.
        """
        url = connection_url(str(order.spec.get("connection")), workplace)
        request = {
            "url": url,
            "statements": [_bound(one, order) for one in _statements(order, dialect_of(url))],
            "fetch": order.spec.get("fetch", "first"),
            "limit": LIMIT_BYTES,
        }
        program = Program(
            interpreter=[sys.executable, "-P", str(PROGRAM), "{scratch}/output"],
            variables=with_bundle(workplace.environment, workplace.bundle),
            directory=workplace.bundle or Path.cwd(),
            conclude=lambda code, output: _concluded(code, output, order),
        )
        return ScriptWork(order, workplace, json.dumps(request), program)


def connection_url(name: str, workplace: Workplace) -> str:
    """Return the SQLAlchemy URL of a connection; it and its password are hidden from now on.

    A relative path of a SQLite file is seen from where the worker was started, as in every setting.

    Raises:
        TaskFailure: This worker has no connection of that name.
        SecretUnavailable: Its URL is a secret that this worker does not have.
    """
    key = setting_name(name)
    url = workplace.connections.get(key)
    if not url:
        raise TaskFailure(
            f"connection '{name}' is not known on this worker: "
            f"set ORCHESTRATOR_CONNECTION_{key} to a SQLAlchemy URL",
            error="UnknownConnection",
        )
    if url.startswith(SCHEME):
        url = workplace.vault.reveal(url.removeprefix(SCHEME))
    workplace.vault.hide(*_hidden_parts(url))
    return _with_driver(absolute_database(url))


def dialect_of(url: str) -> str:
    """Return SQLAlchemy's name of the dialect that a URL names."""
    return url.partition(":")[0].partition("+")[0].lower()


def _with_driver(url: str) -> str:
    """Return `url`; without a driver, PostgreSQL's is psycopg2, as for our own database."""
    short = next((one for one in PSYCOPG2 if url.startswith(one)), None)
    return f"postgresql+psycopg2://{url.removeprefix(short)}" if short else url


def _hidden_parts(url: str) -> list[str]:
    """Return what must not be seen of a URL: its password, as written and as meant, and the URL with it."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return [url]
    return [url, password, unquote(password)] if password else []


def _statements(order: Order, dialect: str) -> list[Statement]:
    try:
        statements = split(str(order.spec.get("sql", "")), dialect)
    except SqlFault as fault:
        raise TaskFailure(str(fault), error="InvalidSql") from None
    if not statements:
        raise TaskFailure("sql holds no statement", error="InvalidSql")
    return statements


def _bound(statement: Statement, order: Order) -> dict[str, Any]:
    values = {f"p{number}": order.parameters.get(path) for number, path in enumerate(statement.paths)}
    return {"text": statement.text, "values": values}


def _concluded(exit_code: int, output: Path, order: Order) -> Finished:
    """Make the end of the task out of what the program wrote."""
    try:
        answer = json.loads(output.read_text("utf-8", "surrogatepass"))
    except (OSError, ValueError):
        raise TaskFailure(
            f"the sql program ended with exit code {exit_code}; its log says why", error=str(exit_code)
        ) from None
    if "outputs" not in answer:
        reason = f"connection '{order.spec['connection']}': {answer['reason']}"
        raise TaskFailure(reason, error=answer["error"])
    return Finished(outputs=checked(answer["outputs"], order.outputs))
