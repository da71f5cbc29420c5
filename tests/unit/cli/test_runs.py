"""What `runs list`, `show` and `pause` tell people: what there is, how to go on, and no more than fits."""

import json
import sys

import pytest
from sqlalchemy import update

from orchestrator.cli.main import exit_code
from orchestrator.service.backend import Backend
from orchestrator.store.schema import workflow_instance
from orchestrator.store.session import writing
from tests.unit.service.submitting import end_run, submit_small


@pytest.fixture(autouse=True)
def _home(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have commands find the test's database."""
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(backend.settings.home))
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", backend.settings.database)


def test_runs_of_a_workflow_that_does_not_exist_are_not_just_none(
    backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    """The nearest name is told; a workflow without such runs is another thing; programs get an empty list."""
    submit_small(backend)

    assert exit_code(["runs", "list", "--workflow", "smal"]) == 0
    assert "there is no workflow definition 'smal' (did you mean 'small'?)" in capsys.readouterr().err
    assert exit_code(["runs", "list", "--workflow", "small", "--state", "FAILURE"]) == 0
    assert capsys.readouterr().err == "no such run\n"
    assert exit_code(["runs", "list", "--workflow", "smal", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("RUNNING", "it goes on: orchestrator runs watch {}"),
        ("PAUSED", "it is held: orchestrator runs resume {}"),
        ("WAITING", "it waits for its turn: orchestrator runs explain {}"),
    ],
)
def test_a_run_that_has_not_ended_is_shown_with_the_next_step(
    backend: Backend, capsys: pytest.CaptureFixture[str], state: str, said: str
) -> None:
    """A run that is held does not go on by itself."""
    number = submit_small(backend)
    end_run(backend, number, state)

    assert exit_code(["runs", "show", str(number)]) == 0

    assert capsys.readouterr().err.splitlines()[1] == said.format(number)


def test_long_parameters_are_shortened_on_a_terminal_only(
    backend: Backend, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read by programs is whole."""
    number = submit_small(backend)
    with writing(backend.engine) as connection:
        of_run = update(workflow_instance).where(workflow_instance.c.id == number)
        connection.execute(of_run.values(params={"text": "x" * 5000}))

    assert exit_code(["runs", "show", str(number)]) == 0
    assert "x" * 5000 in capsys.readouterr().out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert exit_code(["runs", "show", str(number)]) == 0
    out = capsys.readouterr().out
    assert "x" * 500 not in out
    assert "characters; all of them with --json" in out


def test_a_negative_number_of_slots_is_a_wrong_number(
    backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    """And not an unknown option."""
    assert exit_code(["pools", "set", "warehouse", "-1"]) == 2
    assert "a pool has 0 to 10000 slots, not -1" in capsys.readouterr().err
    assert backend.pools.names() == ()
