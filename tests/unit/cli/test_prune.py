"""The command `db prune`: what it prints, which logs it deletes, and how it ends."""

import json
import os
from pathlib import Path

import pytest
from sqlalchemy import update

from orchestrator.cli.main import exit_code
from orchestrator.service.backend import Backend
from orchestrator.store.schema import command, workflow_instance
from orchestrator.store.session import writing
from tests.unit.service.submitting import end_run, submit_small


def logs_of(backend: Backend, number: int) -> Path:
    """Make the log of a run, as old as can be."""
    path = backend.settings.logs / str(number)
    path.mkdir(parents=True)
    (path / "one.1.log").write_text("said")
    os.utime(path, (0, 0))
    return path


def test_pruning_says_what_went(
    backend: Backend, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs with their logs, and logs of runs that are gone; a dry run only counts; a bad age is a mistake."""
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(backend.settings.home))
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", backend.settings.database)
    number, stays = submit_small(backend), submit_small(backend)
    end_run(backend, number, "SUCCESS")
    with writing(backend.engine) as connection:
        connection.execute(command.delete())
        long_ago = backend.queries.now().replace(year=2020)
        old = update(workflow_instance).where(workflow_instance.c.id == number)
        connection.execute(old.values(submitted_at=long_ago, ended_at=long_ago))
    gone, orphan, kept = (logs_of(backend, one) for one in (number, 999, stays))
    expected = {"runs": 1, "attempts": 0, "kept": 0, "backfills": 0, "logs": 2}

    assert exit_code(["db", "prune", "--older-than", "90d", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {**expected, "dry_run": True}
    assert gone.exists()
    assert exit_code(["db", "prune", "--older-than", "90d"]) == 0
    assert "1 run with 0 attempts" in capsys.readouterr().out
    assert (gone.exists(), orphan.exists(), kept.exists()) == (False, False, True)
    assert [one["id"] for one in backend.queries.runs()] == [stays]
    assert exit_code(["db", "prune", "--older-than", "soon"]) == 2
    assert "--older-than soon" in capsys.readouterr().err
