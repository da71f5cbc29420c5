"""What `runs explain` prints, and how it ends."""

import json

import pytest
from sqlalchemy import delete

from orchestrator.cli.main import exit_code
from orchestrator.service.backend import Backend
from orchestrator.store.leases import SlotLeases
from orchestrator.store.schema import command
from orchestrator.store.session import writing
from tests.unit.cli.test_commands import home
from tests.unit.service.submitting import end_run, submit_small

__all__ = ["home"]

pytestmark = pytest.mark.usefixtures("home")


def test_causes_are_lines_with_their_remedies(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence each, since when in local time, and the command that helps below it; 3: Redis is away."""
    number = submit_small(backend)

    code = exit_code(["runs", "explain", str(number), "two"])

    lines = capsys.readouterr().out.splitlines()
    assert code == 3
    assert lines[0].startswith(f"run {number}: Redis does not answer")
    assert "     -> orchestrator master" in lines
    assert f"run {number}: a START waits for its master to take it (since 2" in "\n".join(lines)
    assert lines[-1].startswith("two: waits for one (not reached yet)")


def test_json_is_one_list_of_causes(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    """Five fields each; the most decisive cause first; nothing else is printed."""
    number = submit_small(backend)
    SlotLeases(backend.engine).acquire("m1", 60.0)

    exit_code(["runs", "explain", str(number), "--json"])

    causes = json.loads(capsys.readouterr().out)
    assert [cause["cause"] for cause in causes] == [
        "redis_away",
        "command_waits",
        "ready",
        "upstream",
    ]
    assert all(list(cause) == ["task", "cause", "since", "detail", "remedy"] for cause in causes)


def test_run_that_has_ended_needs_no_service(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    """Its end explains itself, whatever is away: 0."""
    number = submit_small(backend)
    end_run(backend, number, "SUCCESS")
    with writing(backend.engine) as connection:
        connection.execute(delete(command))

    assert exit_code(["runs", "explain", str(number)]) == 0
    assert "ended SUCCESS" in capsys.readouterr().out


def test_unknown_task_is_the_users_mistake(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    """2, with one line."""
    number = submit_small(backend)

    assert exit_code(["runs", "explain", str(number), "tow"]) == 2
    assert "did you mean 'two'?" in capsys.readouterr().err


def test_a_remedy_is_printed_once(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    """The run that failed, and everything that was not run because of it, are recovered by one command."""
    number = submit_small(backend)
    end_run(backend, number, "FAILURE")
    with writing(backend.engine) as connection:
        connection.execute(delete(command))

    exit_code(["runs", "explain", str(number)])

    remedies = [line for line in capsys.readouterr().out.splitlines() if "->" in line]
    assert remedies == [f"     -> orchestrator runs recover {number}"]
