"""sql and http tasks and secrets on a real worker: real databases, a real HTTP server, real time limits."""

import json
import socket
import sqlite3
import ssl
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from orchestrator.broker.connection import open_redis
from orchestrator.core import secrets
from orchestrator.core.event import TaskDelayed, TaskResult
from orchestrator.core.order import Order
from orchestrator.core.status import TaskState
from orchestrator.embedded.redis import PrivateRedis
from tests.integration.worker.stage import Stage, wait_until

pytestmark = pytest.mark.integration

PLANTED = "pl4nted/S3cret word"
FROM_FILE = "fr0m-a-f1le"
CERTIFICATE = Path(__file__).with_name("certificate.pem")


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked; `/busy` asks to come back."""

    def do_POST(self) -> None:
        """Answer."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if self.path == "/busy":
            self._answer(503, {}, {"Retry-After": "30"})
        else:
            self._answer(200, {"body": body, "authorization": self.headers.get("Authorization")}, {})

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _answer(self, status: int, value: Any, headers: dict[str, str]) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, text_ in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, text_)
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture(scope="module")
def secret_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The worker's directory of secrets."""
    directory = tmp_path_factory.mktemp("secrets")
    (directory / "from-file").write_text(f"{FROM_FILE}\n")
    return directory


@pytest.fixture(scope="module")
def stage(
    redis_server: PrivateRedis, tmp_path_factory: pytest.TempPathFactory, secret_files: Path
) -> Iterator[Stage]:
    """A stage with a worker that has connections and secrets."""
    redis_server.start()
    with open_redis(redis_server.url) as client:
        client.flushall()
    home = tmp_path_factory.mktemp("home")
    one = Stage(home, redis_server.url)
    (home / "work" / "w1@test" / "attempt").mkdir(parents=True)
    (home / "work" / "w1@test" / "attempt" / "variables").write_text(PLANTED)
    one.start_worker_anew(  # what it imports is looked at, too
        ORCHESTRATOR_CONNECTION_SHOP=f"sqlite:///{home / 'shop.db'}",
        ORCHESTRATOR_CONNECTION_RELATIVE="sqlite:///relative.db",
        ORCHESTRATOR_CONNECTION_HIDDEN="secret://database",
        ORCHESTRATOR_CONNECTION_NOWHERE="postgresql://me:p4ssw0rd@127.0.0.1:1/none",
        ORCHESTRATOR_DATABASE_URL=f"sqlite:///{home / 'ours.db'}",
        ORCHESTRATOR_SECRET_DATABASE=f"sqlite:///{home / 'shop.db'}",
        ORCHESTRATOR_SECRET_PLANTED=PLANTED,
        ORCHESTRATOR_CONNECTION_PG="secret://postgres",
        ORCHESTRATOR_SECRETS_DIR=str(secret_files),
    )
    yield one
    one.close()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """URL of a server that echoes."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = Thread(target=http.serve_forever, name="echo", daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()


@pytest.fixture(scope="module")
def tls_server() -> Iterator[str]:
    """URL of the same server behind a certificate that nobody signed but itself, made for these tests."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    http.socket = context.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
    Thread(target=http.serve_forever, name="tls-echo", daemon=True).start()
    yield f"https://127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()


def ordered(stage: Stage, type_: str, spec: dict[str, Any], **fields: Any) -> Order:
    """Return an order whose secrets are marked, as the master makes it."""
    order = stage.order(type_, spec, **fields)
    marked = {name: secrets.mark(getattr(order, name), order.ticket) for name in ("params", "parameters")}
    if type_ == "http":
        marked["spec"] = secrets.mark(order.spec, order.ticket)
    return replace(order, **marked)


def run(stage: Stage, type_: str, spec: dict[str, Any], **fields: Any) -> TaskResult:
    """Publish such an order and return its RESULT."""
    order = ordered(stage, type_, spec, **fields)
    stage.publish(order)
    return stage.result(order)


def test_sql_runs_on_a_connection_of_the_worker(stage: Stage) -> None:
    """Several statements, bound parameters, the first row as outputs, a line each in the log."""
    sql = """
        CREATE TABLE item (name TEXT, price NUMERIC);  -- one; two
        INSERT INTO item VALUES (${name}, 2.5), ('b;c', 4);
        SELECT count(*) AS items, sum(price) AS total FROM item WHERE name IN ${names};
    """
    values = {"name": "it's; DROP TABLE item", "names": ["it's; DROP TABLE item", "b;c"]}

    result = run(stage, "sql", {"connection": "shop", "sql": sql}, parameters=values)

    assert (result.state, result.reason) == (TaskState.SUCCESS, None)
    assert result.outputs == {"items": 2, "total": 6.5, "row_count": 1}
    log = Path(result.log_path or "").read_text()
    assert log == "statement 1: done\nstatement 2: 2 rows\nstatement 3: 1 rows\n"
    again = run(stage, "sql", {"connection": "hidden", "sql": "SELECT name FROM item", "fetch": "all"})
    assert again.outputs["rows"][1] == {"name": "b;c"}


def test_relative_database_files_lie_where_the_worker_was_started(stage: Stage) -> None:
    """Not in a directory that is removed behind the task."""
    assert run(stage, "sql", {"connection": "relative", "sql": "CREATE TABLE a (id)"}).outputs == {}
    assert (stage.home / "relative.db").exists()


@pytest.mark.parametrize(
    ("spec", "error", "reason"),
    [
        ({"connection": "no.such", "sql": "SELECT 1"}, "UnknownConnection",
         "connection 'no.such' is not known on this worker: set ORCHESTRATOR_CONNECTION_NO_SUCH to a SQLAlchemy"),
        ({"connection": "shop", "sql": "SELECT 1; SELEC 2"}, "OperationalError",
         "connection 'shop': statement 2: OperationalError: near \"SELEC\": syntax error"),
        ({"connection": "shop", "sql": "SELECT 'a"}, "InvalidSql", "statement 1: a string has no end"),
        ({"connection": "shop", "sql": "-- nothing"}, "InvalidSql", "sql holds no statement"),
        ({"connection": "nowhere", "sql": "SELECT 1"}, "OperationalError", "connection 'nowhere': OperationalE"),
    ],
)  # fmt: skip
def test_sql_failures_say_why(stage: Stage, spec: dict[str, Any], error: str, reason: str) -> None:
    """In one line, with the connection's name and without its password."""
    result = run(stage, "sql", spec)

    assert (result.state, result.error) == (TaskState.FAILURE, error)
    assert (result.reason or "").startswith(reason)
    assert "p4ssw0rd" not in (result.reason or "") + str(result.log_path and _log(result))


def test_declared_outputs_of_sql_are_checked(stage: Stage) -> None:
    """As those of every other task."""
    spec = {"connection": "shop", "sql": "SELECT 'x' AS n"}

    result = run(stage, "sql", spec, outputs={"n": "integer"})

    assert result.state is TaskState.FAILURE
    assert "output 'n'" in (result.reason or "")


def test_sql_runs_on_postgresql(stage: Stage, secret_files: Path, postgres_url: str) -> None:
    """Types of PostgreSQL become JSON; a cast stays a cast; the URL may be a secret that appears later."""
    (secret_files / "postgres").write_text(postgres_url)
    sql = r"""
        SELECT ${n}::int + 1 AS n, 1.50::numeric AS price, sum(i) AS total, ARRAY[1,2] AS list,
        '{"a": 1}'::jsonb AS map, '2026-11-01'::date AS day, '\x00'::bytea AS data, 'a:b' AS colon, 5 % 3 AS rest
        FROM generate_series(1, 3) i
    """
    result = run(stage, "sql", {"connection": "pg", "sql": sql}, parameters={"n": "41"})

    assert result.outputs == {
        "n": 42, "price": 1.5, "total": 6, "list": [1, 2], "map": {"a": 1}, "day": "2026-11-01",
        "data": "AA==", "colon": "a:b", "rest": 2, "row_count": 1,
    }  # fmt: skip


def test_timeout_cancels_the_query_on_the_server(stage: Stage, secret_files: Path, postgres_url: str) -> None:
    """At the time limit nothing goes on there, and nothing is committed."""
    (secret_files / "postgres").write_text(postgres_url)
    slow = {"connection": "pg", "sql": "CREATE TABLE never (id int); SELECT pg_sleep(60)"}

    result = run(stage, "sql", slow, timeout_s=2.0)

    assert (result.state, result.reason) == (TaskState.FAILURE, "timeout")
    active = text(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' AND state = 'active'"
    )
    engine = create_engine(postgres_url)
    with engine.connect() as connection:
        wait_until(lambda: connection.scalar(active) == 0, 5, "the end of the query on the server")
        assert connection.scalar(text("SELECT to_regclass('never')")) is None
    engine.dispose()


def test_sql_is_stopped(stage: Stage) -> None:
    """SQLite's own loop is interrupted; the program leaves nothing behind."""
    endless = "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s) SELECT count(*) FROM s"
    order = ordered(stage, "sql", {"connection": "shop", "sql": endless})
    stage.publish(order)
    wait_until(lambda: (beat := stage.beat()) and order.id in str(beat.running))
    stage.stop_attempt(order)

    assert stage.result(order).state is TaskState.KILLED
    wait_until(lambda: not any((stage.home / "work" / "w1@test").iterdir()), 5, "an empty scratch directory")


def test_workers_open_users_databases_only(stage: Stage) -> None:
    """A worker whose environment names our database never opens it, and does not even import the library."""
    run(stage, "sql", {"connection": "shop", "sql": "SELECT 1 AS n"})
    result = run(stage, "python", {"call": "attempts:imported"})

    assert result.outputs == {"result": []}
    assert not (stage.home / "ours.db").exists()
    assert sqlite3.connect(stage.home / "shop.db").execute("SELECT 1").fetchone() == (1,)


def test_http_sends_secrets_and_hides_them(stage: Stage, server: str) -> None:
    """The server gets them; a response that echoes them is masked in the outputs."""
    spec = {
        "url": "${base}/a", "method": "POST", "auth": {"bearer": "secret://planted"}, "json": {"k": "${k}"},
    }  # fmt: skip
    result = run(stage, "http", spec, parameters={"base": server, "k": "secret://from-file"})

    assert (result.state, result.reason) == (TaskState.SUCCESS, None)
    assert result.outputs["json"] == {"body": '{"k": "******"}', "authorization": "Bearer ******"}


def test_certificates_are_checked_unless_the_task_says_no(stage: Stage, tls_server: str) -> None:
    """Against the usual authorities, or a bundle of one's own."""
    spec = {"url": tls_server, "method": "POST"}

    refused = run(stage, "http", spec)

    assert refused.state is TaskState.FAILURE
    assert "CERTIFICATE_VERIFY_FAILED" in (refused.reason or "")
    assert run(stage, "http", {**spec, "verify": str(CERTIFICATE)}).outputs["status"] == 200
    assert run(stage, "http", {**spec, "verify": False}).outputs["status"] == 200


def test_a_busy_server_defers_the_attempt(stage: Stage, server: str) -> None:
    """503 with Retry-After is a DELAY, not a RESULT."""
    order = ordered(stage, "http", {"url": f"{server}/busy", "method": "POST"})
    stage.publish(order)

    assert stage.event(order, TaskDelayed).seconds == 30


def test_a_silent_server_does_not_hold_the_worker(stage: Stage) -> None:
    """The task's timeout ends the wait; the child goes on living."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        result = run(stage, "http", {"url": url}, timeout_s=1.0)

    assert (result.state, result.reason) == (TaskState.FAILURE, "timeout")


def test_nobody_there_is_a_failure(stage: Stage) -> None:
    """With the address and the error's name."""
    result = run(stage, "http", {"url": "http://127.0.0.1:1/x?q=y"})

    assert result.reason == "http://127.0.0.1:1/x: ConnectError: [Errno 111] Connection refused"


@pytest.mark.parametrize(
    ("type_", "spec"),
    [
        ("shell", {"run": 'printf "%s" "${token:0:5}"; sleep 0.2; echo "${token:5}"; echo "x=$token" >> '
                          '"$ORCHESTRATOR_OUTPUT"; echo "$token" >&2'}),
        ("python", {"script": "import os\nprint(token)\nopen(os.environ['ORCHESTRATOR_OUTPUT'], 'w')"
                              ".write('x=' + token)"}),
        ("python", {"call": "attempts:echo_loudly"}),
    ],
)  # fmt: skip
def test_secrets_reach_programs_and_nothing_else(stage: Stage, type_: str, spec: dict[str, Any]) -> None:
    """As a variable, a global name, an argument; masked in the log and in the outputs, across pieces too."""
    fields = {"params": {"token": "secret://planted"}, "parameters": {"token": "secret://planted"}}
    result = run(stage, type_, spec, **fields)

    assert (result.state, result.outputs) == (TaskState.SUCCESS, {"x": "******"})
    assert set(_log(result).split()) == {"******"}


def test_a_secret_in_a_failure_is_masked(stage: Stage) -> None:
    """In the reason and in the traceback."""
    result = run(stage, "python", {"call": "attempts:fail_loudly"}, params={"token": "secret://planted"})

    assert result.reason == "ValueError: bad token ******"
    assert "bad token ******" in _log(result)
    assert PLANTED not in _log(result)


def test_an_unknown_secret_is_a_failure_with_its_name(stage: Stage) -> None:
    """And nothing runs."""
    result = run(stage, "shell", {"run": "echo never"}, params={"a": "secret://no_such"})

    assert (result.state, result.error) == (TaskState.FAILURE, "UnknownSecret")
    assert (result.reason or "").startswith(
        "secret 'no_such' is not known on this worker: set ORCHESTRATOR_SECR"
    )
    assert not Path(result.log_path or "").exists()


def test_planted_secrets_stand_in_no_file(stage: Stage) -> None:
    """Behind this task and all of the above: no spool, log or output, nor what a killed predecessor left."""
    fields = {"params": {"token": "secret://planted"}, "parameters": {"token": "secret://planted"}}
    assert run(stage, "shell", {"run": 'echo "$token"'}, **fields).state is TaskState.SUCCESS
    needles = [PLANTED.encode(), FROM_FILE.encode(), b"pl4nted%2FS3cret", b"p4ssw0rd"]
    files = [path for path in stage.home.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".db", ".log", ".out"}
    found = [str(path) for path in files for needle in needles if needle in path.read_bytes()]
    assert found == []


def _log(result: TaskResult) -> str:
    path = Path(result.log_path or "")
    return path.read_text() if path.exists() else ""
