"""Pausing and resuming one task as use cases: what is checked at once, and what the master is asked for."""

import json

import pytest

from orchestrator.cli.main import exit_code
from orchestrator.core.command import CommandKind
from orchestrator.core.instance import TaskInstance
from orchestrator.core.status import TaskState
from orchestrator.errors import Conflict, NotFound, UserError
from orchestrator.service.backend import Backend
from orchestrator.service.holding import control_task
from orchestrator.store.rows import attempt_values
from orchestrator.store.schema import task_instance, workflow_instance
from orchestrator.store.session import writing
from tests.builders import an_attempt
from tests.unit.service.submitting import end_run, submit_small

PAUSE, RESUME = CommandKind.PAUSE, CommandKind.RESUME


def hold(backend: Backend, number: int, *tasks: str) -> None:
    """Let tasks of a run be held, as a master would."""
    with writing(backend.engine) as connection:
        statement = workflow_instance.update().where(workflow_instance.c.id == number)
        connection.execute(statement.values(held=list(tasks)))


def test_the_command_names_the_task(backend: Backend) -> None:
    """What is so already is not asked for again."""
    number = submit_small(backend)

    (answer,) = control_task(backend, PAUSE, [number], "two")

    assert answer == {
        "workflow_instance_id": number,
        "state": "SUBMITTED",
        "command": "PAUSE",
        "sent": True,
        "task": "two",
        "task_runs": False,
    }
    commands = [one for one in backend.commands.pending(range(64), 10) if one.kind is PAUSE]
    assert [one.body for one in commands] == [{"task": "two"}]
    hold(backend, number, "two")
    assert control_task(backend, PAUSE, [number], "two")[0]["sent"] is False
    assert control_task(backend, RESUME, [number], "two")[0]["sent"] is True
    assert control_task(backend, RESUME, [number], "one")[0]["sent"] is False


def test_what_does_not_fit_is_refused_with_the_reason(backend: Backend) -> None:
    """Unknown runs and tasks, tasks that have ended, runs that have."""
    number = submit_small(backend)
    with pytest.raises(NotFound):
        control_task(backend, PAUSE, [number, 999], "one")
    with pytest.raises(UserError, match=r"no task 'tow'.*two"):
        control_task(backend, PAUSE, [number], "tow")
    with pytest.raises(UserError, match=r"no task 'nosuch' that could run \(there are: one, two\)"):
        control_task(backend, PAUSE, [number], "nosuch")
    attempt = TaskInstance(
        workflow_instance_id=number,
        task="one",
        attempt=1,
        sequence=1,
        type="noop",
        state=TaskState.SUCCESS,
        ticket="secret",
    )
    with writing(backend.engine) as connection:
        connection.execute(task_instance.insert().values(**attempt_values(attempt)))
    with pytest.raises(Conflict, match="'one' has ended SUCCESS"):
        control_task(backend, PAUSE, [number], "one")
    end_run(backend, number, "FAILURE")
    with pytest.raises(Conflict, match="FAILURE"):
        control_task(backend, RESUME, [number], "one")


def test_the_command_line_says_what_is_held(
    backend: Backend, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`pause --task`, `show`, and `resume --task` where nothing is held."""
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(backend.settings.home))
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", backend.settings.database)
    number = submit_small(backend)

    assert exit_code(["runs", "pause", str(number), "--task", "two"]) == 0
    assert f"run {number}: pausing two" in capsys.readouterr().out
    hold(backend, number, "two")
    assert exit_code(["runs", "show", str(number)]) == 0
    assert f"runs resume {number} --task two" in capsys.readouterr().out
    assert exit_code(["runs", "show", str(number), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["held"] == ["two"]
    assert exit_code(["runs", "resume", str(number), "--task", "one"]) == 0
    assert "already going on one" in capsys.readouterr().out


def test_a_task_that_runs_is_held_from_its_next_attempt_on(
    backend: Backend, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command says so: nobody shall wait for what goes on."""
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(backend.settings.home))
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", backend.settings.database)
    number = submit_small(backend)
    end_run(backend, number, "RUNNING")
    runs = an_attempt("one", workflow_instance_id=number, state=TaskState.RUNNING)
    with writing(backend.engine) as connection:
        connection.execute(task_instance.insert().values(**attempt_values(runs)))

    assert exit_code(["runs", "pause", str(number), "--task", "one"]) == 0

    assert capsys.readouterr().out.splitlines() == [
        f"run {number}: pausing one",
        "     one is running: this attempt goes on, only its next one is held",
    ]
