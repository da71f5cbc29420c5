"""The read model: documents as INTERFACE sections 2 and 7 promise them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.core.changes import InstanceChange
from orchestrator.core.definition import TaskDefinition
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.errors import NotFound
from orchestrator.store.queries import Queries
from tests.contract.store.bench import AT, Bench, make_attempt

TASKS = (
    TaskDefinition(name="extract", type="shell", spec={"run": "true"}),
    TaskDefinition(name="load", type="noop", needs=("extract",)),
    TaskDefinition(name="report", type="noop", needs=("extract",)),
)


def make_finished_run(bench: Bench, **definition: object) -> int:
    """Return the id of a run in which a retried task and its two successors succeeded."""
    deployed = bench.deploy(*TASKS, **definition)
    run = bench.load(bench.submit(definition_id=deployed.id, params={"region": "eu"}, planned_time=AT).id)
    done = {"state": TaskState.SUCCESS, "started_at": AT, "ended_at": AT}
    attempts = (
        make_attempt(
            run, "extract", state=TaskState.FAILURE, current=False, exit_code=3, reason="exit code 3"
        ),
        make_attempt(
            run,
            "extract",
            attempt=2,
            sequence=2,
            type="shell",
            worker="w1@host",
            exit_code=0,
            dispatch=2,
            outputs={"rows": 42, "hidden": True},
            dispatched_at=AT,
            log_path="/logs/x",
            **done,
        ),
        make_attempt(run, "report", sequence=3, outputs={"path": "/r", "n": 1}, **done),
        make_attempt(
            run, "load", sequence=4, outputs={"n": 2}, **{**done, "ended_at": AT + timedelta(seconds=1)}
        ),
    )
    head = replace(run.head, state=WorkflowState.SUCCESS, started_at=AT, ended_at=AT)
    bench.commit(InstanceChange(head=head, revision=0, new=attempts))
    return head.id


def test_run_is_shown_with_every_attempt_in_order_of_submission(bench: Bench) -> None:
    """`runs show ID --json`."""
    number = make_finished_run(bench)

    document = Queries(bench.engine).run(number)

    tasks = document.pop("tasks")
    assert document.pop("submitted_at").endswith("Z")
    assert document == {
        "id": number,
        "workflow": "nightly",
        "version": 1,
        "state": "SUCCESS",
        "run_count": 1,
        "dry_run": False,
        "planned_time": "2026-11-01T02:03:04.567890Z",
        "started_at": "2026-11-01T02:03:04.567890Z",
        "ended_at": "2026-11-01T02:03:04.567890Z",
        "parent": None,
        "params": {"region": "eu"},
        "outputs": {"path": "/r", "n": 2},
        "reason": None,
        "held": [],
    }
    assert [(task["name"], task["attempt"], task["current"]) for task in tasks] == [
        ("extract", 1, False),
        ("extract", 2, True),
        ("report", 1, True),
        ("load", 1, True),
    ]
    expected = {
        "name": "extract",
        "type": "shell",
        "state": "SUCCESS",
        "attempt": 2,
        "current": True,
        "dispatch": 2,
        "worker": "w1@host",
        "submitted_at": "2026-11-01T02:03:04.567890Z",
        "dispatched_at": "2026-11-01T02:03:04.567890Z",
        "started_at": "2026-11-01T02:03:04.567890Z",
        "ended_at": "2026-11-01T02:03:04.567890Z",
        "exit_code": 0,
        "reason": None,
        "outputs": {"rows": 42, "hidden": True},
        "child": None,
    }
    assert {name: tasks[1][name] for name in expected} == expected


def test_declared_outputs_of_a_workflow_are_resolved(bench: Bench) -> None:
    """`outputs:` of the workflow instead of those of the leaves."""
    number = make_finished_run(bench, outputs={"total": "${extract.rows}", "where": "${region}${path}"})

    assert Queries(bench.engine).run(number)["outputs"] == {"total": 42, "where": "eu/r"}


def test_run_of_a_broken_definition_is_shown(bench: Bench) -> None:
    """It ends FAILURE at its start; people must be able to read why."""
    deployed = bench.deploy(TaskDefinition(name="a", type="noop", needs=("nobody",)))

    document = Queries(bench.engine).run(bench.submit(definition_id=deployed.id).id)

    assert (document["outputs"], document["tasks"]) == ({}, [])


def test_child_and_parent_are_shown_as_ids(bench: Bench) -> None:
    """Each attempt of a sub_workflow task shows the run that it waits for, or waited for."""
    parent = bench.run_with("a")
    child = bench.submit(parent_id=parent.head.id, parent_task="a")
    waiting = replace(parent.attempts[0], child=child.id)
    bench.commit(InstanceChange(head=parent.head, revision=parent.revision, changed=(waiting,)))
    queries = Queries(bench.engine)

    assert queries.run(parent.head.id)["tasks"][0]["child"] == child.id
    assert queries.run(child.id)["parent"] == parent.head.id


def test_unknown_run_is_not_found(bench: Bench) -> None:
    """The message names the id."""
    with pytest.raises(NotFound, match="4711"):
        Queries(bench.engine).run(4711)


def test_runs_are_listed_newest_first(bench: Bench) -> None:
    """By state and by workflow, a page at a time, with exactly the promised fields."""
    finished = make_finished_run(bench)
    other = bench.submit(definition_id=bench.deploy(name="weekly").id, parent_id=finished, parent_task="x")
    last = bench.submit()
    queries = Queries(bench.engine)

    def ids(**filters: object) -> list[int]:
        return [document["id"] for document in queries.runs(**filters)]  # type: ignore[arg-type]  # the filters' own types

    assert ids() == [last.id, other.id, finished]
    assert ids(state=WorkflowState.SUCCESS) == [finished]
    assert ids(workflow="weekly") == [other.id]
    assert ids(limit=1, before_id=last.id) == [other.id]
    document = queries.runs(workflow="weekly")[0]
    assert list(document) == [
        "id", "workflow", "version", "state", "parent", "planned_time", "submitted_at", "started_at", "ended_at",
    ]  # fmt: skip
    assert (document["parent"], document["state"], document["started_at"]) == (finished, "SUBMITTED", None)
    assert document["submitted_at"].endswith("Z")
    assert queries.states([finished, last.id, 4711]) == {
        finished: WorkflowState.SUCCESS,
        last.id: WorkflowState.SUBMITTED,
    }
    assert queries.counts() == {"SUCCESS": 1, "SUBMITTED": 2}


def test_definitions_are_listed_and_shown(bench: Bench) -> None:
    """`definitions list` and `definitions show`."""
    bench.deploy(*TASKS, description="Load it")
    queries = Queries(bench.engine)

    assert queries.definitions() == [
        {"name": "nightly", "version": 1, "online": True, "description": "Load it"}
    ]
    shown = queries.definition("nightly")
    assert (shown["version"], shown["online"], shown["tasks"][0]["name"]) == (1, True, "extract")
