"""The command `runs delete`: what it prints, which logs go, and what it refuses."""

import json

import pytest
from sqlalchemy import update

from orchestrator.cli.main import exit_code
from orchestrator.service.backend import Backend
from orchestrator.store.schema import command, workflow_instance
from orchestrator.store.session import writing
from tests.unit.cli.test_prune import logs_of
from tests.unit.service.submitting import end_run, submit_small


@pytest.fixture(autouse=True)
def _home(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have commands find the test's database."""
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(backend.settings.home))
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", backend.settings.database)


def ended(backend: Backend, *, parent: int | None = None) -> int:
    """Return a run that has ended."""
    number = submit_small(backend)
    end_run(backend, number, "SUCCESS")
    with writing(backend.engine) as connection:
        connection.execute(command.delete())
        of_run = update(workflow_instance).where(workflow_instance.c.id == number)
        connection.execute(of_run.values(parent_id=parent))
    return number


def test_a_run_goes_with_its_children_and_logs(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    """Programs read which runs went; what was not named stays."""
    parent, stays = ended(backend), ended(backend)
    child = ended(backend, parent=parent)
    gone, kept = logs_of(backend, child), logs_of(backend, stays)

    assert exit_code(["runs", "delete", str(parent), "--json"]) == 0

    assert json.loads(capsys.readouterr().out) == [
        {
            "workflow_instance_id": parent,
            "state": "SUCCESS",
            "command": "DELETE",
            "sent": True,
            "deleted": [parent, child],
            "attempts": 0,
            "logs": 1,
        }
    ]
    assert (gone.exists(), kept.exists()) == (False, True)
    assert [one["id"] for one in backend.queries.runs()] == [stays]


def test_people_read_what_went(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each run that was named; `--yes` asks nobody."""
    parent = ended(backend)
    ended(backend, parent=parent)
    other = ended(backend)

    assert exit_code(["runs", "delete", str(parent), str(other), "--yes"]) == 0

    assert capsys.readouterr().out.splitlines() == [
        f"run {parent}: deleted, with 1 child run and 0 attempts",
        f"run {other}: deleted, with 0 attempts",
    ]


def test_a_run_that_goes_on_is_a_mistake(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and the remedy; so is one that is not there, and a child alone."""
    running, parent = submit_small(backend), ended(backend)
    child = ended(backend, parent=parent)

    assert exit_code(["runs", "delete", str(running)]) == 2
    assert f"orchestrator runs stop {running}" in capsys.readouterr().err
    assert exit_code(["runs", "delete", "999"]) == 2
    assert "there is no run 999" in capsys.readouterr().err
    assert exit_code(["runs", "delete", str(child)]) == 2
    assert f"orchestrator runs delete {parent}" in capsys.readouterr().err
