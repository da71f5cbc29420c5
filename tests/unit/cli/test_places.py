"""Names that only this deployment knows, or not: the fault has file and line like every other."""

from pathlib import Path

import pytest

from orchestrator.cli.main import exit_code
from orchestrator.service.backend import Backend

YAML = """workflow:
  name: placed
  environment: nosuch
  alerts: [{webhook: nobody, events: [workflow_failure]}]
tasks:
  - {name: one, type: noop}
  - name: two
    type: noop
    pool: nowhere
"""
PYTHON = """from orchestrator import noop, workflow

@workflow
def drawn():
    noop("one")
    noop("two", pool="nowhere")
"""


@pytest.fixture(autouse=True)
def _home(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have commands find the test's database."""
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(backend.settings.home))
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", backend.settings.database)


@pytest.mark.parametrize("command", ["deploy", "submit"])
def test_an_unknown_name_is_told_with_file_and_line(
    backend: Backend,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    """An alert's target, an environment, a pool: of the workflow or of its task, in YAML and in Python."""
    written, drawn = tmp_path / "placed.yaml", tmp_path / f"drawn_{command}.py"
    written.write_text(YAML)
    drawn.write_text(PYTHON)

    assert exit_code([command, str(written)]) == 2
    assert f"{written}:4: workflow 'placed', field 'alerts': nobody knows" in capsys.readouterr().err
    monkeypatch.setenv("ORCHESTRATOR_ALERT_NOBODY", "http://127.0.0.1:9/")
    assert exit_code([command, str(written)]) == 2
    told = capsys.readouterr().err
    assert f"{written}:3: workflow 'placed', field 'environment': there is no environment 'nosuch'" in told
    backend.environments.set("nosuch", {"A": "b"}, without=())
    assert exit_code([command, str(written)]) == 2
    told = capsys.readouterr().err
    assert f"{written}:9: workflow 'placed', task 'two', field 'pool': there is no pool 'nowhere'" in told
    assert exit_code([command, str(drawn)]) == 2
    assert f"{drawn}:6: workflow 'drawn', task 'two', field 'pool'" in capsys.readouterr().err
