"""Submissions: a run and its START together, once per idempotency key."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import OnFailure, Priority, TaskDefinition
from orchestrator.core.status import WorkflowState
from orchestrator.errors import Conflict, NotFound, UserError
from orchestrator.store.definitions import Definitions
from orchestrator.store.submissions import Submissions, SubmitRequest, request_hash
from tests.contract.store.bench import AT, Bench, listening


def test_new_run_has_its_slot_and_its_start(bench: Bench) -> None:
    """The slot follows from the id, in the transaction that made it."""
    # Teeth: fails without `_insert_start`.
    answers = [bench.submit() for _ in range(3)]

    starts = bench.commands.pending(range(64), 10)
    assert [answer.created for answer in answers] == [True, True, True]
    assert [answer.slot for answer in answers] == [answer.id % 64 for answer in answers]
    assert [(one.workflow_instance_id, one.slot, one.kind) for one in starts] == [
        (answer.id, answer.slot, CommandKind.START) for answer in answers
    ]


def test_run_takes_from_the_definition_what_the_request_leaves_open(bench: Bench) -> None:
    """Priority, group and failure strategy are the definition's; times are the database's."""
    deployed = bench.deploy(priority=Priority.HIGH, worker_group="gpu", on_failure=OnFailure.END)
    before = bench.committer.database_now()

    head = bench.load(bench.submit(definition_id=deployed.id).id).head

    assert (head.priority, head.worker_group, head.on_failure) == (Priority.HIGH, "gpu", OnFailure.END)
    assert (head.workflow, head.version, head.state) == ("nightly", 1, WorkflowState.SUBMITTED)
    assert before <= head.submitted_at == head.planned_time


def test_run_is_as_the_request_wants_it(bench: Bench) -> None:
    """Everything that may be asked for is stored."""
    answer = bench.submit(
        params={"day": "2026-11-01", "n": [1, {"a": None}]},
        priority=Priority.LOWEST,
        worker_group="small",
        on_failure=OnFailure.END,
        start_nodes=("a",),
        depends="only",
        dry_run=True,
        planned_time=AT,
        parent_id=4,
        parent_task="child",
    )

    head = bench.load(answer.id).head
    assert head.params == {"day": "2026-11-01", "n": [1, {"a": None}]}
    assert (head.priority, head.worker_group, head.on_failure) == (Priority.LOWEST, "small", OnFailure.END)
    assert (head.start_nodes, head.depends, head.dry_run) == (("a",), "only", True)
    assert (head.planned_time, head.parent_id, head.parent_task) == (AT, 4, "child")


@pytest.mark.parametrize("table", ["workflow_instance", "command"])
def test_run_and_start_are_inserted_together_or_not_at_all(bench: Bench, table: str) -> None:
    """A failure between the two leaves neither."""
    definition_id = bench.deploy().id
    before = bench.contents()

    def refuse(_: Connection, __: Any, statement: str, *___: Any) -> None:
        if statement.startswith(f"INSERT INTO {table}"):
            raise ZeroDivisionError

    with listening(bench.engine, "after_cursor_execute", refuse), pytest.raises(ZeroDivisionError):
        bench.submit(definition_id=definition_id)

    assert bench.contents() == before


def test_repeat_under_the_same_key_gives_the_same_run(bench: Bench) -> None:
    """However often it is sent, also when the definition got a new version or went offline meanwhile."""
    first = bench.submit(idempotency_key="k", params={"n": 1})
    newer = bench.deploy(TaskDefinition(name="b", type="noop"))
    Definitions(bench.engine).set_online("nightly", online=False)

    second = bench.submit(definition_id=newer.id, idempotency_key="k", params={"n": 1})

    assert second == replace(first, created=False)
    assert len(bench.contents()["workflow_instance"]) == 1
    assert len(bench.commands.pending(range(64), 10)) == 1


@pytest.mark.parametrize(
    "other", [{"params": {"n": 2}}, {"dry_run": True}, {"planned_time": AT}, {"start_nodes": ("a",)}]
)
def test_same_key_with_another_request_is_a_conflict(bench: Bench, other: dict[str, Any]) -> None:
    """A key stands for one request; the message names the run that has it."""
    first = bench.submit(idempotency_key="k", params={"n": 1})

    with pytest.raises(Conflict, match=f"run {first.id}"):
        bench.submit(**{"idempotency_key": "k", "params": {"n": 1}, **other})


def test_simultaneous_submissions_under_one_key_make_one_run(bench: Bench) -> None:
    """The database decides the race; everybody gets the same answer."""
    definition_id = bench.deploy().id
    request = SubmitRequest(definition_id=definition_id, idempotency_key="k")

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(Submissions(bench.engine).submit, [request] * 8))

    assert len({answer.id for answer in answers}) == 1
    assert sum(answer.created for answer in answers) == 1


def test_offline_or_unknown_definition_is_refused(bench: Bench) -> None:
    """Nothing is stored for what cannot run."""
    deployed = bench.deploy()
    Definitions(bench.engine).set_online("nightly", online=False)

    with pytest.raises(Conflict, match="'nightly' is offline"):
        bench.submit(definition_id=deployed.id)
    with pytest.raises(NotFound):
        bench.submit(definition_id=4711)

    assert bench.contents()["workflow_instance"] == []


@pytest.mark.parametrize("text", ["a\x00b", "half \ud800"])
def test_parameters_that_no_database_can_hold_are_refused(bench: Bench, text: str) -> None:
    """The user hears it at once; it would fail a whole batch later."""
    with pytest.raises(UserError, match="start parameters"):
        bench.submit(params={"deep": [{"x": text}]})


def test_hash_ignores_the_order_of_parameters_and_the_way_a_time_is_written() -> None:
    """Two requests are the same if they ask for the same."""
    one = SubmitRequest(definition_id=1, params={"a": 1, "b": 2}, planned_time=AT)
    two = SubmitRequest(definition_id=2, params={"b": 2, "a": 1}, planned_time=AT, idempotency_key="k")

    assert request_hash(one, "w") == request_hash(two, "w")
    assert request_hash(one, "w") != request_hash(one, "v")
    assert request_hash(one, "w") != request_hash(replace(one, planned_time=AT + timedelta(seconds=1)), "w")


def test_command_to_an_unknown_run_is_refused(bench: Bench) -> None:
    """A command row always has a slot whose master will find it."""
    with pytest.raises(NotFound, match="4711"):
        bench.commands.send(4711, CommandKind.STOP)


def test_pending_commands_come_in_the_order_they_were_sent(bench: Bench) -> None:
    """Of the wanted slots, the oldest first."""
    answer = bench.submit()
    sent = [bench.commands.send(answer.id, CommandKind.PAUSE, {"n": n}) for n in range(3)]

    start, *first = bench.commands.pending([answer.slot], 3)

    assert start.kind is CommandKind.START
    assert first == sent[:2]
    assert bench.commands.pending([answer.slot + 1], 10) == []
    assert bench.commands.pending([], 10) == []


def test_starts_and_parked_runs_can_be_left_out(bench: Bench) -> None:
    """An overloaded master takes no START; commands of a parked lane do not hide those behind them."""
    one, two = bench.submit(), bench.submit()
    stop = bench.commands.send(two.id, CommandKind.STOP)

    assert bench.commands.pending(range(64), 10, starts=False) == [stop]
    assert {run.workflow_instance_id for run in bench.commands.pending(range(64), 10, skip=[one.id])} == {
        two.id
    }
