"""What `runs logs` prints of attempts that write no log: where to read of them instead."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from orchestrator.cli.main import exit_code
from orchestrator.cli.unwritten import what_to_read
from orchestrator.service.backend import Backend
from orchestrator.store.rows import attempt_values
from orchestrator.store.schema import task_instance
from orchestrator.store.session import writing
from orchestrator.worker.logs import attempt_log_path
from tests.builders import an_attempt
from tests.unit.cli.test_commands import home
from tests.unit.service.submitting import end_run, submit_small

__all__ = ["home"]


def a_task(task_type: str, child: int | None = None, **fields: Any) -> Mapping[str, Any]:
    """Return an element of `tasks` in the document of `runs show`."""
    plain = {"name": "load", "attempt": 1, "started_at": "2026-11-01T12:00:00Z"}
    return {**plain, "type": task_type, "child": child, **fields}


@pytest.fixture
def number(home: Path, backend: Backend) -> int:
    """Give a run that has ended."""
    del home
    number = submit_small(backend)
    end_run(backend, number, "SUCCESS")
    return number


def write(backend: Backend, number: int, task: str, log: str | None = None, **fields: Any) -> None:
    """Let the run have an attempt, and its log, if it has one."""
    attempt = an_attempt(task, workflow_instance_id=number, **fields)
    with writing(backend.engine) as connection:
        connection.execute(insert(task_instance).values(attempt_values(attempt)))
    if log is not None:
        path = attempt_log_path(backend.settings.logs, number, task, 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(log)


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (a_task("sub_workflow", 18), "load is run 18, which has its logs: orchestrator runs logs 18"),
        (a_task("sub_workflow"), "load has started no run: orchestrator runs explain 17 load"),
        (a_task("map"), "load is a map without elements: orchestrator runs explain 17 load"),
        (a_task("shell"), None),
        (a_task("shell", started_at=None), "load has not run: orchestrator runs explain 17 load"),
        (
            a_task("shell", started_at=None, attempt=2),
            (
                "load has not run in this attempt (before: orchestrator runs logs 17 load --attempt 1):"
                " orchestrator runs explain 17 load"
            ),
        ),
    ],
)  # fmt: skip
def test_what_writes_no_log_says_where_to_read(task: Mapping[str, Any], said: str | None) -> None:
    """A run that a task started has logs of its own."""
    assert what_to_read(17, task) == said


@pytest.mark.parametrize("task_type", ["dependent", "approval", "switch", "conditions"])
def test_what_the_master_decides_is_explained(task_type: str) -> None:
    """No program runs, so there is nothing to look for on any machine."""
    said = what_to_read(17, a_task(task_type))

    assert said == (
        f"load ({task_type}) is decided by the master, and no program writes a log:"
        " orchestrator runs explain 17 load"
    )


def test_logs_of_a_sub_workflow_name_its_run(
    backend: Backend, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Asked for by name, followed, or among all tasks; programs that read JSON get it beside the document."""
    write(backend, number, "sub", type="sub_workflow", child=18)
    write(backend, number, "one", "written\n", type="shell", sequence=2)
    told = []
    for more in (["sub"], [], ["sub", "--follow"], ["sub", "--json"]):
        assert exit_code(["runs", "logs", str(number), *more]) == 0
        told.append(capsys.readouterr().err)

    assert all("orchestrator runs logs 18" in one for one in told)
    assert told[2].endswith("logs 18 --follow\n")


def test_task_that_has_not_begun_is_not_taken_for_a_wrong_name(
    number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """What holds it back is another command's; a wrong name is told with the tasks that there are, in order."""
    assert exit_code(["runs", "logs", str(number), "two"]) == 2
    assert exit_code(["runs", "logs", str(number), "x"]) == 2

    assert capsys.readouterr().err.splitlines() == [
        f"error: 'two' of run {number} has not begun: orchestrator runs explain {number} two",
        f"error: run {number} has no task 'x' (there are: one, two)",
    ]


def test_logs_of_a_map_are_those_of_its_elements(
    backend: Backend, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """In their order, each with its title."""
    write(backend, number, "load", type="map")
    write(backend, number, "load[0]", "first\n", type="shell", sequence=2)
    write(backend, number, "load[1]", "second\n", type="shell", sequence=3)

    assert exit_code(["runs", "logs", str(number), "load"]) == 0

    told = capsys.readouterr()
    assert told.out == "first\nsecond\n"
    assert [line.split(",")[0] for line in told.err.splitlines()] == ["== load[0]", "== load[1]"]
