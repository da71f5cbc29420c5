"""The commands of pools: what they print, and how they end."""

import json

import pytest

from orchestrator.cli.main import exit_code
from orchestrator.service.backend import Backend


def test_commands_print_one_document(
    backend: Backend, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`set` the pool as it is then, `list` all of them, `delete` what is gone; mistakes end 2, in one line."""
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(backend.settings.home))
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", backend.settings.database)
    expected = {"name": "few", "slots": 3, "taken": 0, "waiting": 0, "repaired": 0}

    assert exit_code(["pools", "set", "few", "3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == expected
    assert exit_code(["pools", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [expected]
    assert exit_code(["pools", "set", "few", "2"]) == 0
    assert capsys.readouterr().out == "few: 0 of 2 slots taken, 0 tasks wait\n"
    assert exit_code(["pools", "list"]) == 0
    assert capsys.readouterr().out.split() == ["few", "2", "0", "0"]
    assert exit_code(["pools", "delete", "few"]) == 0
    assert capsys.readouterr().out == "few: deleted\n"
    assert exit_code(["pools", "delete", "few"]) == 2
    assert "there is no pool 'few'" in capsys.readouterr().err
    assert exit_code(["pools", "set", "few", "many"]) == 2
    assert "'many' is not a valid integer" in capsys.readouterr().err
