"""The commands of schedules and backfills: what they print, and how they end."""

import json
from typing import Any

import pytest

from orchestrator.authoring.load import load_text
from orchestrator.cli.main import exit_code
from orchestrator.service import definitions, schedules
from orchestrator.service.backend import Backend

NIGHTLY = """
workflow: {name: nightly, schedules: [{cron: "0 2 * * *"}]}
tasks:
  - {name: a, type: noop}
"""


def deploy_nightly(backend: Backend) -> int:
    """Deploy a workflow with one schedule; return its id."""
    definitions.deploy(backend, load_text(NIGHTLY), online=True)
    (only,) = schedules.list_schedules(backend)
    return int(only["id"])


def test_commands_print_one_document(
    backend: Backend, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As INTERFACE 7 has it, and for people a line each."""
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(backend.settings.home))
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", backend.settings.database)
    monkeypatch.delenv("ORCHESTRATOR_REDIS_URL", raising=False)
    number = deploy_nightly(backend)

    def said(*arguments: str) -> Any:
        assert exit_code([*arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    assert [one["id"] for one in said("schedules", "list")] == [number]
    assert said("schedules", "pause", str(number))["paused"] is True
    assert said("schedules", "resume", str(number))["paused"] is False
    assert len(said("schedules", "next", str(number), "-n", "7")) == 7
    filled = said("backfill", "nightly", "--from", "2026-11-01", "--to", "2026-11-03", "--max-parallel", "1")
    assert (filled["backfill_id"], len(filled["workflow_instance_ids"])) == (1, 3)

    for arguments in (["list"], ["pause", str(number)], ["pause", str(number)], ["next", str(number)]):
        assert exit_code(["schedules", *arguments]) == 0
    out = capsys.readouterr().out
    assert "is paused" in out
    assert "is already paused" in out
    assert exit_code(["backfill", "nightly", "--from", "2026-11-01", "--to", "2026-11-04"]) == 0
    told = capsys.readouterr()
    assert "backfill 2: 1 run, " in told.out
    assert "3 planned times have a run already" in told.err
    assert exit_code(["schedules", "pause", "x"]) == 2
    assert exit_code(["schedules", "pause", "77"]) == 2
