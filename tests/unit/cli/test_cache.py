"""The command `cache clear`: what it prints, and how it ends."""

import json

import pytest

from orchestrator.cli.main import exit_code
from orchestrator.core.definition import TaskDefinition, WorkflowDefinition
from orchestrator.service.backend import Backend


def test_clearing_says_how_many(
    backend: Backend, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A misspelt name is a mistake, not an empty cache; a duration is read as everywhere."""
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(backend.settings.home))
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", backend.settings.database)
    backend.definitions.deploy(WorkflowDefinition(name="w", tasks=(TaskDefinition(name="a", type="noop"),)))

    assert exit_code(["cache", "clear", "w", "--task", "a", "--older-than", "7d", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"cleared": 0}
    assert exit_code(["cache", "clear"]) == 0
    assert "0 kept results forgotten" in capsys.readouterr().out
    for arguments, said in (
        (["v"], "'v'"),
        (["w", "--task", "b"], "has no task 'b'"),
        (["--task", "a"], "--task belongs to a workflow"),
        (["--older-than", "soon"], "--older-than soon"),
    ):
        assert exit_code(["cache", "clear", *arguments]) == 2
        assert said in capsys.readouterr().err
