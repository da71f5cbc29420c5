"""Deleting runs by name: whole families that have ended, with everything that hangs on them; all or none."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import insert, text, update

from orchestrator.core.command import CommandKind
from orchestrator.errors import Conflict, NotFound
from orchestrator.store import schema
from orchestrator.store.deletion import Deletion, delete_rows, read_families
from orchestrator.store.session import writing
from tests.cluster import wait_until
from tests.contract.store.bench import Bench
from tests.contract.store.test_pruning import old, rows

LOCK_WAITS = text("SELECT count(*) FROM pg_locks WHERE NOT granted")

UNFINISHED = ["SUBMITTED", "WAITING", "RUNNING", "PAUSING", "PAUSED", "STOPPING"]


def add_backfill(bench: Bench, *runs: int, ended: bool) -> None:
    """Make a backfill of these runs."""
    at = bench.committer.database_now()
    with writing(bench.engine) as connection:
        connection.execute(
            insert(schema.backfill).values(
                id=3,
                slot=3,
                workflow="nightly",
                timezone="UTC",
                first_at=at,
                last_at=at,
                created_at=at,
                ended_at=at if ended else None,
            )
        )
        for position, number in enumerate(runs):
            planned = at.replace(microsecond=position)
            connection.execute(
                insert(schema.backfill_run).values(
                    backfill_id=3,
                    position=position,
                    planned_time=planned,
                    workflow_instance_id=number,
                    done=True,
                )
            )


def refused(bench: Bench, *ids: int) -> str:
    """Return why these runs cannot be deleted; nothing has changed."""
    before = bench.contents()
    with pytest.raises(Conflict) as caught:
        Deletion(bench.engine).delete(ids)
    assert bench.contents() == before
    return str(caught.value)


@pytest.mark.parametrize("state", ["SUCCESS", "FAILURE", "STOPPED"])
def test_a_run_goes_with_everything_that_hangs_on_it(bench: Bench, state: str) -> None:
    """Attempts, kept outputs, refused commands, alerts; other runs stay whole."""
    old(bench)
    before = bench.contents()
    number = old(bench, state=state)

    (family,) = Deletion(bench.engine).delete([number])

    assert (family.head, family.state, family.runs, family.attempts) == (number, state, (number,), 1)
    after = bench.contents()
    assert {**after, "workflow_definition": []} == {**before, "workflow_definition": []}


def test_children_go_with_their_parent_and_never_alone(bench: Bench) -> None:
    """Named together with its parent a child is no mistake; one whose parent is gone is its own family."""
    parent = old(bench)
    child = old(bench, parent_id=parent, parent_task="a")
    grandchild = old(bench, parent_id=child, parent_task="a")
    orphan = old(bench, parent_id=99_999, parent_task="a")

    said = refused(bench, orphan, child)
    assert f"run {child} is a child of run {parent}" in said
    assert said.endswith(f"orchestrator runs delete {parent}")
    families = Deletion(bench.engine).delete([grandchild, parent, orphan])
    assert [(one.head, one.runs) for one in families] == [
        (parent, (parent, child, grandchild)),
        (orphan, (orphan,)),
    ]
    assert rows(bench) == 0


@pytest.mark.parametrize("state", UNFINISHED)
def test_what_has_not_ended_is_refused_with_the_remedy(bench: Bench, state: str) -> None:
    """Also where only a child goes on; nothing of the others is deleted."""
    ended, running, parent = old(bench), old(bench, state=state), old(bench)
    child = old(bench, parent_id=parent, parent_task="a", state=state)

    said = refused(bench, ended, running)
    assert f"run {running} is {state}" in said
    assert f"orchestrator runs stop {running}" in said
    assert f"run {child}, a child of run {parent}, is {state}" in refused(bench, parent)


def test_a_run_that_was_asked_to_begin_again_is_refused(bench: Bench) -> None:
    """Its command is worth as much as a run that goes on."""
    number = old(bench)
    bench.commands.send(number, CommandKind.RERUN, {})

    assert f"run {number} has a RERUN that no master has taken yet" in refused(bench, number)


def test_a_command_that_meets_the_deletion_of_its_run_is_refused(bench: Bench) -> None:
    """It waits for the deletion's end and hears of it: it was stored, and nobody heard that it came to nothing."""
    number = old(bench)

    def waits() -> bool:
        """Say whether somebody waits for a lock; SQLite's writers wait for each other by themselves."""
        return bench.engine.dialect.name == "sqlite" or connection.scalar(LOCK_WAITS) > 0

    with ThreadPoolExecutor(1) as threads:
        with writing(bench.engine) as connection:
            read_families(connection, [number], lock=True)
            delete_rows(connection, [number])
            sent = threads.submit(bench.commands.send, number, CommandKind.RERUN, {})
            wait_until(lambda: sent.done() or waits(), seconds=10, what="the command meets the deletion")

        with pytest.raises(NotFound, match=f"no run {number} any more: it was deleted before the RERUN"):
            sent.result(timeout=10)
    assert rows(bench) == 0


def test_part_of_an_open_backfill_is_refused(bench: Bench) -> None:
    """The backfill would lose its place in the range."""
    number = old(bench)
    add_backfill(bench, number, ended=False)

    assert f"run {number} is part of backfill 3, which goes on" in refused(bench, number)


def test_a_backfill_goes_with_the_last_of_its_runs(bench: Bench) -> None:
    """As long as one of its runs is there, it stays."""
    first, second = old(bench), old(bench)
    add_backfill(bench, first, second, ended=True)

    Deletion(bench.engine).delete([first])
    assert len(bench.contents()["backfill"]) == 1
    Deletion(bench.engine).delete([second])
    assert bench.contents()["backfill"] == []


def test_an_alert_that_was_not_told_goes_with_its_run(bench: Bench) -> None:
    """Whoever deletes the run does not want to hear of it any more."""
    number = old(bench)
    with writing(bench.engine) as connection:
        connection.execute(update(schema.outbox).values(delivered_at=None))

    Deletion(bench.engine).delete([number])

    assert rows(bench) == 0


def test_a_run_that_does_not_exist_is_named(bench: Bench) -> None:
    """Nothing is deleted, not even what there is."""
    number = old(bench)
    before = bench.contents()

    with pytest.raises(NotFound, match="there is no run 99999"):
        Deletion(bench.engine).delete([number, 99_999])
    assert bench.contents() == before
