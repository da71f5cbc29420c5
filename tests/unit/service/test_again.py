"""Recover, rerun and force-success as use cases: what is checked at once, and what the master is asked for."""

from typing import Any

import pytest

from orchestrator.authoring.load import load_text
from orchestrator.core.command import Command, CommandKind
from orchestrator.core.instance import TaskInstance
from orchestrator.core.status import TaskState
from orchestrator.errors import Conflict, NotFound, UserError
from orchestrator.service import again, control, definitions, runs, submission
from orchestrator.service.again import RerunOptions
from orchestrator.service.backend import Backend
from orchestrator.store.rows import attempt_values
from orchestrator.store.schema import task_instance
from orchestrator.store.session import writing
from tests.unit.service.submitting import end_run

WORKFLOW = """
workflow: {name: again, params: {day: {type: date, required: true}, limit: {type: integer, default: 3}}}
tasks:
  - {name: load, type: shell, run: "true", outputs: {rows: integer}}
  - {name: report, type: noop, needs: [load]}
  - {name: off, type: noop, disabled: true}
"""


def a_run(backend: Backend, state: str, task: TaskState | None = None, **options: Any) -> int:
    """Return a run in that state, whose task `load` has an attempt in the state `task`."""
    definitions.deploy(backend, load_text(WORKFLOW), online=True)
    chosen = submission.SubmitOptions(**options)
    submitted = submission.submit_texts(backend, "again", ["day=2026-11-01"], chosen)
    number = int(submitted["workflow_instance_id"])
    end_run(backend, number, state)
    if task is not None:
        attempt = TaskInstance(
            workflow_instance_id=number,
            task="load",
            attempt=4,
            sequence=1,
            type="shell",
            state=task,
            ticket="secret",
        )
        with writing(backend.engine) as connection:
            connection.execute(task_instance.insert().values(**attempt_values(attempt)))
    return number


def sent(backend: Backend) -> list[Command]:
    """Return the commands that wait, without STARTs."""
    return [one for one in backend.commands.pending(range(64), 10) if one.kind is not CommandKind.START]


def test_recover_says_which_end_it_is_about(backend: Backend) -> None:
    """The run count that the user saw goes along."""
    (answer,) = control.control(backend, CommandKind.RECOVER, [a_run(backend, "FAILURE")])

    (command,) = sent(backend)
    assert (answer["state"], answer["sent"]) == ("FAILURE", True)
    assert (command.kind, command.body) == (CommandKind.RECOVER, {"run_count": 1})


@pytest.mark.parametrize(
    ("options", "body"),
    [
        (RerunOptions(), {}),
        (RerunOptions(start="load"), {"from": "load"}),
        (RerunOptions(only="report"), {"only": "report"}),
        (RerunOptions(texts=("limit=7",)), {"params": {"limit": 7}}),
    ],
)
def test_rerun_says_what_and_with_which_parameters(
    backend: Backend, options: RerunOptions, body: dict[str, Any]
) -> None:
    """Values are read by their declared types; a required parameter has its value already."""
    again.rerun(backend, a_run(backend, "SUCCESS"), options)

    (command,) = sent(backend)
    assert (command.kind, command.body) == (CommandKind.RERUN, {"run_count": 1, **body})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (RerunOptions(start="lod"), "did you mean 'load'"),
        (RerunOptions(only="off"), "no task 'off'"),
        (RerunOptions(start="load", only="load"), "exclude each other"),
        (RerunOptions(texts=("limit=x",)), "parameter 'limit'"),
        (RerunOptions(texts=("limt=1",)), "did you mean 'limit'"),
    ],
)
def test_a_slip_of_the_pen_is_answered_at_once(backend: Backend, options: RerunOptions, message: str) -> None:
    """Nothing is asked of the master."""
    number = a_run(backend, "SUCCESS")

    with pytest.raises(UserError, match=message):
        again.rerun(backend, number, options)
    assert sent(backend) == []


def test_a_task_outside_the_runs_start_nodes_cannot_run_again(backend: Backend) -> None:
    """The run never had it."""
    number = a_run(backend, "SUCCESS", start_nodes=("load",), depends="only")

    with pytest.raises(UserError, match="no task 'report'"):
        again.rerun(backend, number, RerunOptions(only="report"))


def test_forced_outputs_are_read_by_their_declared_types(backend: Backend) -> None:
    """Others read as they look; the attempt that the user saw goes along."""
    number = a_run(backend, "FAILURE", TaskState.FAILURE)

    answer = again.force_success(backend, number, "load", ["rows=7", "note=x y"])

    (command,) = sent(backend)
    assert (answer["sent"], answer["task"]) == (True, "load")
    assert command.body == {"task": "load", "attempt": 4, "outputs": {"rows": 7, "note": "x y"}}


@pytest.mark.parametrize(
    ("state", "task", "texts", "message"),
    [
        ("RUNNING", TaskState.FAILURE, [], "run .* is RUNNING: force-success fits only"),
        ("FAILURE", TaskState.SUCCESS, [], "task 'load' is SUCCESS"),
        ("FAILURE", None, [], "task 'load' is not run"),
        ("FAILURE", TaskState.KILLED, ["rows=many"], "output 'rows'"),
        ("FAILURE", TaskState.KILLED, ["text=" + "x" * 70_000], "too large"),
    ],
)
def test_what_cannot_be_forced_is_refused_with_the_reason(
    backend: Backend, state: str, task: TaskState | None, texts: list[str], message: str
) -> None:
    """The state, the task's state, the output's type and size are looked at at once."""
    number = a_run(backend, state, task)

    with pytest.raises((Conflict, UserError), match=message):
        again.force_success(backend, number, "load", texts)
    assert sent(backend) == []


def test_what_was_forced_already_is_not_asked_for_again(backend: Backend) -> None:
    """The answer says so."""
    number = a_run(backend, "FAILURE", TaskState.FORCED_SUCCESS)

    assert again.force_success(backend, number, "load", [])["sent"] is False
    assert sent(backend) == []


def test_a_run_that_does_not_exist_cannot_run_again(backend: Backend) -> None:
    """One line, with its number."""
    with pytest.raises(NotFound, match="there is no run 4711"):
        again.rerun(backend, 4711, RerunOptions())


def test_a_run_that_was_asked_to_run_again_has_not_ended(backend: Backend) -> None:
    """`recover`, then `wait`: the wait does not take the old end for the new one."""
    number = a_run(backend, "FAILURE")
    assert runs.look(backend, number)[1]

    control.control(backend, CommandKind.RECOVER, [number])

    assert not runs.look(backend, number)[1]
