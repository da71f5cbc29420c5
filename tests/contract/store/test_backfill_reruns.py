"""Backfills that run again what is there: in their order, once each, whatever people do meanwhile."""

from typing import Any

import pytest
from sqlalchemy import update

from orchestrator.core.command import CommandKind
from orchestrator.store.backfills import Backfills
from orchestrator.store.queries import Queries
from orchestrator.store.schema import workflow_instance
from orchestrator.store.session import writing
from tests.contract.store.bench import Bench
from tests.contract.store.test_backfills import a_duty, end, fill, take_commands

START, RERUN, STOP = CommandKind.START, CommandKind.RERUN, CommandKind.STOP


def begin_again(bench: Bench, number: int, state: str = "RUNNING") -> None:
    """Let a run begin again, as a master does with a RERUN, and perhaps end."""
    columns = workflow_instance.c
    with writing(bench.engine) as connection:
        changed = update(workflow_instance).where(columns.id == number)
        connection.execute(changed.values(state=state, run_count=columns.run_count + 1))


def ended(bench: Bench, days: int, **states: str) -> list[int]:
    """Make runs of so many days that have ended."""
    runs = fill(bench, days).runs
    take_commands(bench)
    for position, number in enumerate(runs):
        end(bench, number, states.get(f"day{position}", "SUCCESS"))
    return list(runs)


def again(bench: Bench, days: int, **fields: Any) -> Any:
    """Make a backfill of the same days that runs again what is there."""
    return fill(bench, days, reruns=True, **fields)


def test_what_is_there_runs_again_among_what_is_new(bench: Bench) -> None:
    """All ids are known from the beginning, in the order of the planned times; each has its turn."""
    old, duty = ended(bench, 2), a_duty(bench)
    made = again(bench, 4, params={"n": 1})

    assert made.runs[:2] == made.again == tuple(old)
    asked = bench.commands.pending(range(64), 10)
    assert [(one.kind, one.workflow_instance_id) for one in asked] == [(RERUN, old[0])]
    assert asked[0].body == {"run_count": 1, "params": {"n": 1}}
    for kind, number in ((RERUN, old[0]), (RERUN, old[1]), (START, made.runs[2]), (START, made.runs[3])):
        assert duty.step() == 0  # what was asked for has not begun, and is not over
        assert take_commands(bench) == [(kind, number)]
        begin_again(bench, number)
        assert duty.step() == 0
        end(bench, number)
        duty.step()
    assert take_commands(bench) == []
    assert [row["ended_at"] is not None for row in bench.contents()["backfill"]] == [True, True]


def test_the_last_run_of_a_planned_time_counts(bench: Bench) -> None:
    """One that has not ended is left alone."""
    (first,) = ended(bench, 1)
    second = bench.submit(planned_time=bench.load(first).head.planned_time).id

    assert again(bench, 1).runs == ()
    assert len(again(bench, 1).skipped) == 1
    end(bench, second, "FAILURE")
    assert again(bench, 1).runs == (second,)


def test_a_serial_one_stops_at_the_first_failure(bench: Bench) -> None:
    """What is there stays as it ended; what was made for it is stopped."""
    old, duty = ended(bench, 2), a_duty(bench)
    made = again(bench, 3)
    take_commands(bench)
    begin_again(bench, old[0], "FAILURE")

    assert duty.step() == 2

    assert take_commands(bench) == [(STOP, made.runs[2])]
    assert bench.load(old[1]).head.state == "SUCCESS"
    assert bench.contents()["backfill"][1]["reason"] == f"run {old[0]} ended FAILURE"


def test_a_rerun_that_was_refused_holds_up_nothing(bench: Bench) -> None:
    """Its command is gone and nothing began: the next one has its turn."""
    old, duty = ended(bench, 2), a_duty(bench)
    again(bench, 2)
    assert take_commands(bench) == [(RERUN, old[0])]

    duty.step()

    assert take_commands(bench) == [(RERUN, old[1])]


@pytest.mark.parametrize("state", ["RUNNING", "SUCCESS"])
def test_a_run_that_somebody_runs_again_before_its_turn_counts(bench: Bench, state: str) -> None:
    """It is not asked for twice."""
    old, duty = ended(bench, 2), a_duty(bench)
    again(bench, 2)
    take_commands(bench)
    begin_again(bench, old[1], state)
    begin_again(bench, old[0], "SUCCESS")

    duty.step()

    assert take_commands(bench) == []


def test_who_waits_for_a_run_waits_until_it_has_run_again(bench: Bench) -> None:
    """Before its turn, too; after it as for any rerun."""
    old = ended(bench, 2)
    queries = Queries(bench.engine)
    assert queries.going_on(old) == set()
    again(bench, 2)
    assert queries.going_on(old) == set(old)
    take_commands(bench)
    begin_again(bench, old[0], "FAILURE")
    a_duty(bench).step()

    assert queries.going_on(old) == set()  # the second one will not run any more


def test_a_parallel_one_asks_for_all_at_once(bench: Bench) -> None:
    """Nothing is left to be carried on."""
    old = ended(bench, 3)
    made = again(bench, 3, max_parallel=None)

    assert take_commands(bench) == [(RERUN, number) for number in old]
    assert made.slots == {bench.load(number).head.slot for number in old}
    assert Backfills(bench.engine).look(range(64)).waiting == 0
