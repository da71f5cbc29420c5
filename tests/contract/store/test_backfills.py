"""Backfills: which runs start when, whatever crashes; and that a failure ends a serial one."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update

from orchestrator.core.changes import Leases
from orchestrator.core.command import CommandKind
from orchestrator.core.schedule import Fire
from orchestrator.errors import Conflict, LeaseLost
from orchestrator.master.backfills import Backfiller
from orchestrator.store.backfills import Backfills
from orchestrator.store.definitions import Definitions
from orchestrator.store.leases import SlotLeases
from orchestrator.store.new_backfills import Backfilled, BackfillRequest
from orchestrator.store.schema import backfill_run, command, slot_lease, workflow_instance
from orchestrator.store.session import open_engine, writing
from tests.contract.store.bench import OWNER, Bench, make_bench
from tests.programs import run_text

DAY = datetime(2026, 11, 1, 2, tzinfo=UTC)
CRASHED = 137

MASTER = """
import sys
from orchestrator import crash
from orchestrator.core.changes import Leases
from orchestrator.master.backfills import Backfiller
from orchestrator.store.backfills import Backfills
from orchestrator.store.session import open_engine

url, owner, point = sys.argv[1:]
leases = Leases(owner=owner, epochs=dict.fromkeys(range(64), 1))
crash.arm(point)
Backfiller(Backfills(open_engine(url, "master")), leases, lambda slot: None, lambda: 0.0).step()
"""


def fill(bench: Bench, days: int = 4, max_parallel: int | None = 1, **fields: Any) -> Backfilled:
    """Make a backfill of so many days."""
    fires = tuple(
        Fire(planned_time=DAY + timedelta(days=n), interval_start=DAY + timedelta(days=n - 1))
        for n in range(days)
    )
    values = {
        "definition_id": bench.deploy().id,
        "fires": fires,
        "first": fires[0].planned_time,
        "last": fires[-1].planned_time,
        "cron": "0 2 * * *",
        "timezone": "UTC",
        "max_parallel": max_parallel,
    }
    return Backfills(bench.engine).create(BackfillRequest(**{**values, **fields}))


def a_duty(bench: Bench, leases: Leases | None = None) -> Backfiller:
    """Return a master's duty that looks whenever it is asked."""
    ticks = iter(range(10**9))
    table = Backfills(bench.engine)
    return Backfiller(table, leases or bench.leases, lambda _slot: None, lambda: 10.0 * next(ticks))


def take_commands(bench: Bench) -> list[tuple[CommandKind, int]]:
    """Take all commands, as masters do; return their kinds and runs."""
    found = bench.commands.pending(range(64), 1000)
    with writing(bench.engine) as connection:
        connection.execute(delete(command))
    return [(one.kind, one.workflow_instance_id) for one in found]


def end(bench: Bench, number: int, state: str = "SUCCESS") -> None:
    """Let a run end."""
    now = bench.committer.database_now()
    with writing(bench.engine) as connection:
        connection.execute(
            update(workflow_instance)
            .where(workflow_instance.c.id == number)
            .values(state=state, started_at=now, ended_at=now)
        )


def test_all_runs_are_made_at_once_and_started_in_their_order(bench: Bench) -> None:
    """Their ids are known from the beginning; each has its planned time, its interval and its own key."""
    made = fill(bench, max_parallel=None)

    heads = [bench.load(number).head for number in made.runs]
    keys = {row["idempotency_key"] for row in bench.contents()["workflow_instance"]}
    assert [head.planned_time for head in heads] == [DAY + timedelta(days=n) for n in range(4)]
    assert all(head.planned_time - (head.interval_start or DAY) == timedelta(days=1) for head in heads)
    assert keys == {f"backfill:{made.id}:{head.planned_time.isoformat()}" for head in heads}
    assert take_commands(bench) == [(CommandKind.START, number) for number in made.runs]
    assert Backfills(bench.engine).look(range(64)).waiting == 0


def test_serial_backfill_starts_the_next_when_the_one_before_has_ended(bench: Bench) -> None:
    """One at a time, and nothing while it runs."""
    made, duty, order = fill(bench), a_duty(bench), []
    for _ in made.runs:
        assert duty.step() == 0
        ((kind, number),) = take_commands(bench)
        order.append(number)
        assert kind is CommandKind.START
        end(bench, number)
        duty.step()

    assert tuple(order) == made.runs
    assert take_commands(bench) == []
    (row,) = bench.contents()["backfill"]
    assert (row["ended_at"] is not None, row["reason"]) == (True, None)


@pytest.mark.parametrize("state", ["FAILURE", "STOPPED"])
def test_serial_backfill_stops_at_the_first_failure(bench: Bench, state: str) -> None:
    """What has not started is stopped, so that nobody waits for it for ever."""
    made, duty = fill(bench), a_duty(bench)
    take_commands(bench)
    end(bench, made.runs[0], state)

    assert duty.step() == 3

    assert take_commands(bench) == [(CommandKind.STOP, number) for number in made.runs[1:]]
    (row,) = bench.contents()["backfill"]
    assert row["reason"] == f"run {made.runs[0]} ended {state}"
    assert duty.step() == 0


def test_parallel_backfill_keeps_so_many_going_whatever_fails(bench: Bench) -> None:
    """Two at a time: whichever ends makes room for one."""
    made, duty = fill(bench, 5, 2), a_duty(bench)
    assert [number for _, number in take_commands(bench)] == list(made.runs[:2])

    end(bench, made.runs[1], "FAILURE")
    duty.step()
    assert [number for _, number in take_commands(bench)] == [made.runs[2]]
    end(bench, made.runs[0])
    end(bench, made.runs[2])
    duty.step()

    assert [number for _, number in take_commands(bench)] == list(made.runs[3:])


def test_run_that_was_stopped_or_deleted_before_its_turn_is_passed_over(bench: Bench) -> None:
    """A person took it out: the next one has its turn."""
    made, duty = fill(bench), a_duty(bench)
    take_commands(bench)
    with writing(bench.engine) as connection:
        stopped = update(workflow_instance).where(workflow_instance.c.id == made.runs[1])
        connection.execute(stopped.values(state="STOPPED"))
        connection.execute(delete(workflow_instance).where(workflow_instance.c.id == made.runs[2]))
    end(bench, made.runs[0])

    duty.step()

    assert take_commands(bench) == [(CommandKind.START, made.runs[3])]


def test_run_that_somebody_started_by_hand_counts(bench: Bench) -> None:
    """Paused and resumed before its turn it runs: nothing else may, beside it."""
    made, duty = fill(bench, 3), a_duty(bench)
    take_commands(bench)
    with writing(bench.engine) as connection:
        running = update(workflow_instance).where(workflow_instance.c.id == made.runs[2])
        connection.execute(running.values(state="RUNNING", started_at=DAY))
    end(bench, made.runs[0])

    duty.step()
    assert take_commands(bench) == []
    end(bench, made.runs[2])
    duty.step()

    assert take_commands(bench) == [(CommandKind.START, made.runs[1])]


def test_planned_times_that_have_a_run_are_skipped(bench: Bench) -> None:
    """Whoever made it; a dry run, and what was stopped before it started, are no runs of that time."""
    first = fill(bench, 2)
    bench.submit(planned_time=DAY + timedelta(days=2))
    bench.submit(planned_time=DAY + timedelta(days=3), dry_run=True)
    with writing(bench.engine) as connection:
        stopped = update(workflow_instance).where(workflow_instance.c.id == first.runs[1])
        connection.execute(stopped.values(state="STOPPED"))

    made = fill(bench, 5)

    assert made.skipped == (DAY, DAY + timedelta(days=2))
    assert len(made.runs) == 3


def test_backfill_of_what_is_there_has_nothing_to_do(bench: Bench) -> None:
    """It is answered, and over."""
    fill(bench, 2)

    made = fill(bench, 2)

    assert made.runs == ()
    assert [row["ended_at"] is not None for row in bench.contents()["backfill"]] == [False, True]


def test_offline_workflow_is_not_filled(bench: Bench) -> None:
    """Nothing is stored."""
    number = bench.deploy().id
    Definitions(bench.engine).set_online("nightly", online=False)

    with pytest.raises(Conflict, match="offline"):
        Backfills(bench.engine).create(
            BackfillRequest(
                definition_id=number, fires=(), first=DAY, last=DAY, cron="0 2 * * *", timezone="UTC"
            )
        )


def test_two_backfills_of_one_range_at_the_same_time_make_each_run_once(bench: Bench) -> None:
    """The second one finds what the first one made."""
    number = bench.deploy().id
    with ThreadPoolExecutor(3) as threads:
        made = list(threads.map(lambda _: fill(bench, 4, definition_id=number), range(3)))

    assert sorted(len(one.runs) for one in made) == [0, 0, 4]


def test_duties_at_the_same_time_start_each_run_once(bench: Bench) -> None:
    """Two masters of the same slot, many times at once."""
    made = fill(bench, 6, 3)
    take_commands(bench)
    for number in made.runs[:3]:
        end(bench, number)

    duties = [a_duty(bench) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(lambda duty: duty.step() + duty.step(), duties)) == 3

    assert [number for _, number in take_commands(bench)] == list(made.runs[3:])


def test_master_whose_lease_is_gone_carries_nothing_on(bench: Bench) -> None:
    """A zombie is fenced; its heir goes on."""
    made = fill(bench)
    take_commands(bench)
    end(bench, made.runs[0])
    with writing(bench.engine) as connection:
        connection.execute(update(slot_lease).values(owner=None, expires_at=None))
    heir = SlotLeases(bench.engine).acquire("heir", 60.0)
    before = bench.contents()

    assert a_duty(bench).step() == 0
    with pytest.raises(LeaseLost):
        Backfills(bench.engine).advance(made.id, bench.leases)

    assert bench.contents() == before
    assert a_duty(bench, heir).step() == 1


@pytest.mark.parametrize("state", ["SUCCESS", "FAILURE"])
@pytest.mark.parametrize("point", ["backfill.after_flush", "backfill.after_commit"])
def test_master_that_dies_between_two_runs_neither_doubles_nor_stops_it(
    database_url: str, point: str, state: str
) -> None:
    """As after `kill -9`: the next master goes on from the rows alone."""
    bench = make_bench(open_engine(database_url, "master"))
    made = fill(bench)
    take_commands(bench)
    end(bench, made.runs[0], state)

    ended = run_text(MASTER, database_url, OWNER, point)
    duty = a_duty(bench)
    duty.step()
    duty.step()

    assert ended == CRASHED
    following = (
        [(CommandKind.START, made.runs[1])]
        if state == "SUCCESS"
        else [(CommandKind.STOP, number) for number in made.runs[1:]]
    )
    assert take_commands(bench) == following
    bench.engine.dispose()


def test_planned_time_of_a_backfill_is_unique(bench: Bench) -> None:
    """The database refuses a second row for (backfill, planned time)."""
    made = fill(bench, 1)

    with pytest.raises(Exception, match=r"(?i)unique"), writing(bench.engine) as connection:
        connection.execute(
            backfill_run.insert().values(
                backfill_id=made.id, position=9, planned_time=DAY, workflow_instance_id=9, done=False
            )
        )
