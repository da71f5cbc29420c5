"""Pruning: old runs go with everything that hangs on them; what somebody needs stays, whatever crashes."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import TaskDefinition
from orchestrator.store import schema
from orchestrator.store.pruning import Pruned, Pruning
from orchestrator.store.rows import attempt_values
from orchestrator.store.session import open_engine, writing
from tests.contract.store.bench import Bench, make_attempt, make_bench
from tests.programs import run_text

run = schema.workflow_instance.c
MONTH = timedelta(days=30)

PROGRAM = """
import sys
from datetime import datetime
from orchestrator import crash
from orchestrator.store.pruning import Pruning
from orchestrator.store.session import open_engine

url, cutoff, point = sys.argv[1:]
crash.arm(point)
Pruning(open_engine(url, "service")).step(datetime.fromisoformat(cutoff), {})
"""


def old(bench: Bench, age: timedelta = 2 * MONTH, state: str = "SUCCESS", **fields: Any) -> int:
    """Return a run with an attempt and its START taken, that ended so long ago."""
    at = bench.committer.database_now() - age
    number = bench.submit(**fields).id
    with writing(bench.engine) as connection:
        connection.execute(schema.command.delete().where(schema.command.c.workflow_instance_id == number))
        ended = update(schema.workflow_instance).where(run.id == number)
        connection.execute(
            ended.values(state=state, submitted_at=at, started_at=at, ended_at=at, planned_time=at)
        )
    hang(bench, number, at)
    return number


def hang(bench: Bench, number: int, at: datetime) -> None:
    """Hang one row of each kind on a run."""
    values: dict[Any, dict[str, Any]] = {
        schema.task_cache: {"key": f"{number}", "workflow": "w", "task": "a", "attempt": 1, "created_at": at},
        schema.error_command: {
            "id": number,
            "slot": 0,
            "kind": "STOP",
            "body": {},
            "created_at": at,
            "failed_at": at,
            "reason": "no",
        },
        schema.outbox: {
            "key": f"{number}",
            "slot": 0,
            "kind": "k",
            "body": {},
            "created_at": at,
            "due_at": at,
            "tries": 0,
            "delivered_at": at,
        },
    }
    with writing(bench.engine) as connection:
        attempt = make_attempt(bench.load(number), "a")
        connection.execute(insert(schema.task_instance).values(**attempt_values(attempt)))
        for table, row in values.items():
            connection.execute(insert(table).values(workflow_instance_id=number, **row))


def prune(bench: Bench, age: timedelta = MONTH, *, trial: bool = False) -> tuple[set[int], int]:
    """Prune everything that is so old; return the ids, and how many old families were kept."""
    table = Pruning(bench.engine)
    gone: set[int] = set()
    kept, last_id = 0, 0
    while True:
        done: Pruned = table.step(table.cutoff(age.total_seconds()), table.needed(), last_id, trial=trial)
        gone.update(done.runs)
        kept += done.kept
        if done.last_id is None:
            return gone, kept
        last_id = done.last_id


def rows(
    bench: Bench, without: Iterable[str] = ("workflow_definition", "slot_lease", "deployment", "master")
) -> int:
    """Return how many rows there are, but those that no run is in."""
    return sum(len(found) for name, found in bench.contents().items() if name not in without)


def test_old_runs_go_with_everything_that_hangs_on_them(bench: Bench) -> None:
    """Nothing of them is left; younger ones stay whole; a trial deletes nothing."""
    young = old(bench, timedelta(days=3))
    before = bench.contents()
    gone = {old(bench), old(bench, state="FAILURE"), old(bench, state="STOPPED")}
    whole = bench.contents()

    assert prune(bench, trial=True) == (gone, 0)
    assert bench.contents() == whole
    assert prune(bench) == (gone, 0)
    assert bench.contents() == {**before, "workflow_definition": whole["workflow_definition"]}
    assert prune(bench, timedelta(days=1)) == ({young}, 0)
    assert rows(bench) == 0


def test_children_go_with_their_parents_and_never_alone(bench: Bench) -> None:
    """A family goes as a whole, when all of it is old; one whose parent is gone is a family of its own."""
    parent = old(bench)
    child = old(bench, parent_id=parent, parent_task="a")
    grandchild = old(bench, timedelta(days=1), parent_id=child, parent_task="a")
    orphan = old(bench, parent_id=99_999, parent_task="a")

    assert prune(bench) == ({orphan}, 1)
    assert prune(bench, timedelta(hours=1)) == ({parent, child, grandchild}, 0)


@pytest.mark.parametrize("state", ["RUNNING", "PAUSED", "SUBMITTED", "STOPPING", "WAITING"])
def test_what_goes_on_or_waits_stays(bench: Bench, state: str) -> None:
    """Also if only a child does."""
    old(bench, state=state)
    parent = old(bench)
    old(bench, parent_id=parent, parent_task="a", state=state)

    assert prune(bench) == (set(), 1)


def test_what_somebody_is_waiting_for_stays(bench: Bench) -> None:
    """A command that no master has taken, an alert that was not told, a backfill that has not ended."""
    asked, untold, part = old(bench), old(bench), old(bench)
    bench.commands.send(asked, CommandKind.RERUN, {})
    at = bench.committer.database_now()
    with writing(bench.engine) as connection:
        connection.execute(
            update(schema.outbox)
            .where(schema.outbox.c.workflow_instance_id == untold)
            .values(delivered_at=None)
        )
        connection.execute(
            insert(schema.backfill).values(
                id=1, slot=1, workflow="nightly", timezone="UTC", first_at=at, last_at=at, created_at=at
            )
        )
        connection.execute(
            insert(schema.backfill_run).values(
                backfill_id=1, position=0, planned_time=at, workflow_instance_id=part, done=False
            )
        )
    assert prune(bench) == (set(), 3)

    table = Pruning(bench.engine)
    with writing(bench.engine) as connection:
        connection.execute(update(schema.backfill).values(ended_at=at - 2 * MONTH))
    assert table.forget_backfills(at - MONTH) == 0
    assert prune(bench) == ({part}, 2)
    assert table.forget_backfills(at - MONTH) == 1


def test_what_a_dependent_task_may_look_at_stays(bench: Bench) -> None:
    """By the windows of workflows that are online, and of runs that go on with an older planned time."""
    first, recent = old(bench, timedelta(days=9)), old(bench, timedelta(days=3))
    items = [{"workflow": "nightly", "window": "last_7_days"}]
    looks = TaskDefinition(name="a", type="dependent", spec={"any": items})
    watcher = bench.deploy(looks, name="watcher")
    assert prune(bench, timedelta(days=1)) == ({first}, 1)

    again = old(bench, timedelta(days=9))
    going_on = bench.submit(
        definition_id=watcher.id, planned_time=bench.committer.database_now() - timedelta(days=5)
    )
    assert prune(bench, timedelta(days=1)) == (set(), 2)

    with writing(bench.engine) as connection:
        connection.execute(
            update(schema.workflow_instance).where(run.id == going_on.id).values(state="SUCCESS")
        )
        connection.execute(update(schema.workflow_definition).values(online=False))
        connection.execute(schema.command.delete())
    assert prune(bench, timedelta(days=1))[0] == {again, recent}


def test_a_transaction_deletes_a_bounded_number(bench: Bench) -> None:
    """Others never wait for long; the steps together delete everything."""
    gone = {old(bench) for _ in range(7)}
    table = Pruning(bench.engine, most_families=3, most_attempts=2)
    cutoff, last_id, steps = table.cutoff(MONTH.total_seconds()), 0, []
    while (step := table.step(cutoff, {}, last_id)).last_id is not None:
        steps.append(step.runs)
        last_id = step.last_id

    assert {len(one) for one in steps} <= {1, 2}
    assert {number for one in steps for number in one} == gone


@pytest.mark.parametrize(
    ("point", "is_gone"),
    [("prune.before_flush", False), ("prune.after_flush", False), ("prune.after_commit", True)],
)
def test_a_pruning_that_dies_leaves_whole_runs(database_url: str, point: str, *, is_gone: bool) -> None:
    """All of a step, or nothing; the next pruning goes on."""
    bench = make_bench(open_engine(database_url, "master"))
    old(bench)
    before, cutoff = bench.contents(), bench.committer.database_now() - MONTH

    ended = run_text(PROGRAM, database_url, cutoff.isoformat(), point)

    assert ended == 137
    assert (rows(bench) == 0) if is_gone else (bench.contents() == before)
    prune(bench)
    assert rows(bench) == 0
    bench.engine.dispose()
