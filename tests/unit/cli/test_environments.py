"""The commands of environments: what they print, and how they end."""

import json

import pytest

from orchestrator.cli.main import exit_code
from orchestrator.service.backend import Backend


def test_commands_print_one_document(
    backend: Backend, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`set` the environment as it is then, `list` all of them, `delete` one; a word without `=` is a mistake."""
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(backend.settings.home))
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", backend.settings.database)
    expected = {"name": "staging", "variables": {"A": "1=2", "B": ""}}

    assert exit_code(["environments", "set", "staging", "A=1=2", "B=", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == expected
    assert exit_code(["environments", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [expected]
    assert exit_code(["environments", "list"]) == 0
    assert "staging" in capsys.readouterr().out
    assert exit_code(["environments", "delete", "staging", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"name": "staging", "deleted": True}
    assert exit_code(["environments", "delete", "staging"]) == 2
    assert "no environment 'staging'" in capsys.readouterr().err
    assert exit_code(["environments", "set", "staging", "A"]) == 2
    assert "'A' is not K=V" in capsys.readouterr().err
