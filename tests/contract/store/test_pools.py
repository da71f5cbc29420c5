"""Pools: who gets which slot in which order, that none is given twice or lost, what the sweep puts right."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from orchestrator.core.changes import Changes, InstanceChange
from orchestrator.core.command import CommandKind
from orchestrator.core.definition import TaskDefinition
from orchestrator.core.pool import PoolPlace
from orchestrator.core.status import TaskState
from orchestrator.errors import Conflict, LeaseLost, NotFound
from orchestrator.master.pools import PoolSweeper
from orchestrator.store.commit import GroupCommit
from orchestrator.store.definitions import Definitions
from orchestrator.store.pools import Pools, Repairs, StoredPool
from orchestrator.store.schema import command, pool_place, pool_slot, slot_lease, task_instance
from orchestrator.store.session import open_engine, reading, writing
from tests.contract.store.bench import AT, OWNER, Bench, make_attempt, make_bench, make_definition
from tests.programs import run_text

CRASHED = 137

MASTER = """
import sys
from orchestrator import crash
from orchestrator.core.changes import Changes, Leases
from orchestrator.core.pool import PoolPlace
from orchestrator.store.commit import GroupCommit
from orchestrator.store.session import open_engine
from tests.contract.store.bench import AT

url, owner, number, point = sys.argv[1:]
names = dict(pool="few", workflow_instance_id=int(number), attempt=1, workflow_rank=2, task_rank=2, since=AT)
names["line_up"] = 0
leases = Leases(owner=owner, epochs=dict.fromkeys(range(64), 1))
crash.arm(point)
GroupCommit(open_engine(url, "master")).commit(
    Changes(
        released=(PoolPlace(task="a", sequence=1, **names),),
        lined_up=(PoolPlace(task="c", sequence=3, **names),),
    ),
    leases,
)
"""


def a_place(run: int, task: str = "a", **fields: Any) -> PoolPlace:
    """Return the place of a first attempt in the pool `few`."""
    values: dict[str, Any] = {
        "pool": "few",
        "workflow_instance_id": run,
        "task": task,
        "attempt": 1,
        "workflow_rank": 2,
        "task_rank": 2,
        "since": AT,
        "sequence": 1,
        "line_up": 0,
    }
    return PoolPlace(**{**values, **fields})


def run_with_waiting(bench: Bench, *tasks: str) -> int:
    """Return a run whose tasks stand in line, in this order."""
    loaded = bench.submit_and_load()
    new = tuple(
        make_attempt(loaded, task, sequence=number, reason="pool")
        for number, task in enumerate(tasks, start=1)
    )
    places = tuple(a_place(loaded.head.id, one.task, sequence=one.sequence) for one in new)
    change = InstanceChange(head=loaded.head, revision=loaded.revision, new=new)
    bench.commit(change, lined_up=places)
    return loaded.head.id


def pools_of(bench: Bench) -> Pools:
    """Return what reads and writes pools."""
    return Pools(bench.engine)


def holders(bench: Bench) -> list[tuple[str, int, str]]:
    """Return the slots that are taken: pool, number, task."""
    with reading(bench.engine) as connection:
        rows = connection.execute(select(pool_slot).order_by(pool_slot.c.pool, pool_slot.c.number))
        return [(row.pool, row.number, row.task) for row in rows]


def told(bench: Bench) -> list[str]:
    """Return the tasks of the grants that wait for a master, in the order in which they were sent."""
    return [body["task"] for body in bodies(bench)]


def bodies(bench: Bench) -> list[Mapping[str, Any]]:
    """Return what the grants say that wait for a master, in the order in which they were sent."""
    found = bench.commands.pending(range(64), 1000)
    return [one.body for one in found if one.kind is CommandKind.GRANTED]


def waiting(bench: Bench) -> set[str]:
    """Return the tasks that stand in line."""
    with reading(bench.engine) as connection:
        return set(connection.execute(select(pool_place.c.task)).scalars())


def change_state(bench: Bench, task: str, **values: Any) -> None:
    """Change a task's row behind everybody's back."""
    with writing(bench.engine) as connection:
        connection.execute(update(task_instance).where(task_instance.c.task == task).values(**values))


def granted(bench: Bench, *tasks: str) -> None:
    """Let these tasks have heard of their slots, as the master that handles a GRANTED."""
    for task in tasks:
        change_state(bench, task, reason=None)
    with writing(bench.engine) as connection:
        connection.execute(delete(command).where(command.c.kind == CommandKind.GRANTED))


def release(bench: Bench, run: int, *tasks: str) -> None:
    """Let these tasks end, and give back what they have."""
    for task in tasks:
        change_state(bench, task, state=TaskState.SUCCESS)
    bench.commit(released=tuple(a_place(run, task) for task in tasks))


def test_free_slots_are_given_in_the_commit_that_brings_who_wants_them(bench: Bench) -> None:
    """The first two get them, by mail; the third stands in line."""
    pools_of(bench).set("few", 2)

    run_with_waiting(bench, "a", "b", "c")

    assert holders(bench) == [("few", 1, "a"), ("few", 2, "b")]
    assert (told(bench), waiting(bench)) == (["a", "b"], {"c"})
    assert pools_of(bench).suspects() == ()


def test_slot_goes_to_the_next_one_in_the_commit_that_gives_it_back(bench: Bench) -> None:
    """The number is free again, and who is first in line has it."""
    pools_of(bench).set("few", 2)
    run = run_with_waiting(bench, "a", "b", "c")
    granted(bench, "a", "b")

    release(bench, run, "a")

    assert holders(bench) == [("few", 1, "c"), ("few", 2, "b")]
    assert (told(bench), waiting(bench)) == (["c"], set())


def test_who_leaves_the_line_is_not_given_a_slot(bench: Bench) -> None:
    """Whether anybody had told it already or not."""
    pools_of(bench).set("few", 1)
    run = run_with_waiting(bench, "a", "b", "c")

    release(bench, run, "b")
    release(bench, run, "a")

    assert (holders(bench), waiting(bench)) == ([("few", 1, "c")], set())


def test_who_leaves_and_comes_back_in_one_batch_stands_in_line_once(bench: Bench) -> None:
    """A pause and a resume that are one commit: the slot was given back between them."""
    pools_of(bench).set("few", 1)
    run = run_with_waiting(bench, "a", "b")
    granted(bench, "a")
    change_state(bench, "a", reason="pool")
    places = (a_place(run, "a", since=AT + timedelta(hours=1)),)

    bench.commit(released=places, lined_up=places)

    assert (holders(bench), waiting(bench)) == ([("few", 1, "b")], {"a"})


def test_order_is_workflow_then_task_then_age(bench: Bench) -> None:
    """Over all runs; among equals the older run, then the order of submission."""
    pools_of(bench).set("few", 0)
    run = run_with_waiting(bench)
    late = AT + timedelta(minutes=5)
    ranks: dict[str, dict[str, Any]] = {
        "f": {"workflow_rank": 4, "task_rank": 0, "since": AT},
        "e": {"workflow_rank": 2, "task_rank": 3, "since": AT},
        "d": {"workflow_rank": 2, "task_rank": 2, "since": late},
        "c": {"workflow_rank": 2, "task_rank": 2, "since": AT, "sequence": 2},
        "b": {"workflow_rank": 2, "task_rank": 2, "since": AT, "sequence": 1},
        "a": {"workflow_rank": 0, "task_rank": 4, "since": late},
    }
    bench.commit(lined_up=tuple(a_place(run, task, **fields) for task, fields in ranks.items()))

    pools_of(bench).set("few", 6)

    assert [task for _, _, task in holders(bench)] == list("abcdef")
    assert told(bench) == list("abcdef")


def test_smaller_pool_kills_nobody_and_gives_out_nothing_until_it_fits(bench: Bench) -> None:
    """What is taken beyond the number stays taken."""
    pools_of(bench).set("few", 3)
    run = run_with_waiting(bench, "a", "b", "c", "d", "e")
    granted(bench, "a", "b", "c")

    stored, mailed = pools_of(bench).set("few", 1)
    assert (stored, mailed) == (StoredPool(name="few", slots=1, taken=3, waiting=2), ())
    release(bench, run, "a", "b")
    assert [task for _, _, task in holders(bench)] == ["c"]

    release(bench, run, "c")

    assert holders(bench) == [("few", 1, "d")]


def test_pool_of_no_slots_gives_out_nothing_and_a_bigger_one_at_once(bench: Bench) -> None:
    """Who has to hear of it is returned."""
    pools_of(bench).set("few", 0)
    run = run_with_waiting(bench, "a", "b", "c")
    assert (holders(bench), told(bench)) == ([], [])

    stored, mailed = pools_of(bench).set("few", 2)

    assert (stored.taken, stored.waiting, mailed) == (2, 1, (run, run))
    assert told(bench) == ["a", "b"]


def test_pools_do_not_mix(bench: Bench) -> None:
    """Each has its own slots and its own line."""
    pools_of(bench).set("few", 1)
    pools_of(bench).set("many", 2)
    run = run_with_waiting(bench, "a")

    bench.commit(lined_up=(a_place(run, "x", pool="many"), a_place(run, "y", pool="few")))

    assert holders(bench) == [("few", 1, "a"), ("many", 1, "x")]
    assert pools_of(bench).names() == ("few", "many")


def test_pool_that_nobody_made_gives_out_nothing_and_is_shown(bench: Bench) -> None:
    """When it is made, who waits is served."""
    run_with_waiting(bench, "a")
    assert pools_of(bench).list() == [StoredPool(name="few", slots=None, waiting=1)]

    pools_of(bench).set("few", 1)

    assert told(bench) == ["a"]


def test_pool_in_use_cannot_be_deleted(bench: Bench) -> None:
    """Neither while somebody has a slot nor while somebody waits; afterwards it can."""
    with pytest.raises(NotFound, match="no pool 'few'"):
        pools_of(bench).delete("few")
    pools_of(bench).set("few", 1)
    run = run_with_waiting(bench, "a", "b")
    with pytest.raises(Conflict, match="slots taken: 1, tasks that wait: 1"):
        pools_of(bench).delete("few")
    release(bench, run, "a", "b")

    pools_of(bench).delete("few")

    assert pools_of(bench).list() == []


def test_line_says_who_has_the_slots_and_who_stands_before(bench: Bench) -> None:
    """For whoever asks why it waits."""
    pools_of(bench).set("few", 2)
    run = run_with_waiting(bench, "a", "b", "c", "d")

    line = pools_of(bench).line((run, "d", 1), "few", 10)

    assert (line.pool.taken, line.before, [one.task for one in line.holders]) == (2, 1, ["a", "b"])
    assert pools_of(bench).line((run, "d", 1), "other", 10).pool == StoredPool(name="other", slots=None)


def test_commit_that_fails_moves_nobody(bench: Bench) -> None:
    """Neither slots nor places nor mail: they are part of the batch."""
    pools_of(bench).set("few", 1)
    run = run_with_waiting(bench, "a", "b")
    before = bench.contents()
    moved = Changes(released=(a_place(run, "a"),), lined_up=(a_place(run, "c"),))

    with pytest.raises(LeaseLost):
        bench.committer.commit(moved, replace(bench.leases, owner="somebody else"))

    assert bench.contents() == before


@pytest.mark.parametrize(
    ("point", "written"),
    [("pool.before_flush", False), ("pool.after_flush", False), ("pool.after_commit", True)],
)
def test_killed_master_moves_all_or_nobody(database_url: str, point: str, *, written: bool) -> None:
    """As after `kill -9`: what was given back went to the next one, or nothing happened."""
    bench = make_bench(open_engine(database_url, "master"))
    pools_of(bench).set("few", 1)
    run = run_with_waiting(bench, "a", "b")
    granted(bench, "a")
    before = bench.contents()

    ended = run_text(MASTER, database_url, OWNER, str(run), point)

    assert ended == CRASHED
    assert [task for _, _, task in holders(bench)] == (["b"] if written else ["a"])
    assert written or bench.contents() == before
    bench.engine.dispose()


def test_masters_and_people_at_once_give_no_slot_twice(bench: Bench) -> None:
    """Grants follow one another under the pool's lock; nobody who may have a slot is forgotten."""
    pools_of(bench).set("few", 3)
    runs = [run_with_waiting(bench) for _ in range(4)]
    tasks = [f"t{number}" for number in range(12)]

    def line_up(run: int) -> None:
        for number, task in enumerate(tasks):
            GroupCommit(bench.engine).commit(Changes(lined_up=(a_place(run, task),)), bench.leases)
            if number % 4 == 0:
                Pools(bench.engine).set("few", 3)

    def leave(run: int) -> None:
        for task in tasks:
            GroupCommit(bench.engine).commit(Changes(released=(a_place(run, task),)), bench.leases)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(line_up, runs))
        assert len(holders(bench)) == 3
        assert len(told(bench)) == 3
        list(threads.map(leave, runs))

    assert (holders(bench), waiting(bench)) == ([], set())
    assert len(told(bench)) >= 3


# --- the sweep -------------------------------------------------------------------------------


def sweep(bench: Bench, name: str = "few") -> Repairs:
    """Sweep one pool."""
    return pools_of(bench).sweep(name, bench.leases)


@pytest.mark.parametrize("how", ["ended", "deleted", "superseded"])
def test_sweep_frees_slots_of_attempts_that_have_left(bench: Bench, how: str) -> None:
    """They go to the next one; what was wrong is counted in the pool's row."""
    pools_of(bench).set("few", 1)
    run_with_waiting(bench, "a", "b")
    granted(bench, "a")
    if how == "deleted":
        with writing(bench.engine) as connection:
            connection.execute(delete(task_instance).where(task_instance.c.task == "a"))
    else:
        change_state(bench, "a", **({"state": "SUCCESS"} if how == "ended" else {"current": False}))
    assert pools_of(bench).suspects() == ("few",)

    repairs = sweep(bench)

    assert (repairs.leaked, repairs.faults, repairs.granted) == (1, 1, 1)
    assert (holders(bench), told(bench)) == ([("few", 1, "b")], ["b"])
    assert pools_of(bench).list()[0].repaired == 1
    assert pools_of(bench).suspects() == ()


def test_sweep_removes_places_of_attempts_that_do_not_wait(bench: Bench) -> None:
    """Nobody is given a slot that he would never use."""
    pools_of(bench).set("few", 0)
    run_with_waiting(bench, "a")
    change_state(bench, "a", state="SUCCESS")

    assert sweep(bench).stale == 1
    assert waiting(bench) == set()


def test_sweep_tells_whoever_has_a_slot_and_does_not_know(bench: Bench) -> None:
    """A grant that got lost; one that is on its way is none."""
    pools_of(bench).set("few", 1)
    run_with_waiting(bench, "a")
    assert (pools_of(bench).suspects(), sweep(bench)) == ((), Repairs())
    with writing(bench.engine) as connection:
        connection.execute(delete(command))

    repairs = sweep(bench)

    assert (repairs.untold, len(repairs.woken), told(bench)) == (1, 1, ["a"])


def test_grant_names_the_time_in_line_that_the_slot_is_for(bench: Bench) -> None:
    """Who left the line and came back can tell the second grant from the first, which may still be on its way."""
    pools_of(bench).set("few", 1)
    run = run_with_waiting(bench, "a")
    change_state(bench, "a", line_ups=1)

    bench.commit(released=(a_place(run),), lined_up=(a_place(run, line_up=1),))

    said = {"task": "a", "attempt": 1}
    assert bodies(bench) == [{**said, "line_up": 0}, {**said, "line_up": 1}]
    assert pools_of(bench).suspects() == ()


@pytest.mark.parametrize("old", [{"line_up": 1}, {}], ids=["earlier time", "earlier version"])
def test_grant_of_an_earlier_time_in_line_tells_nobody_of_his_slot(bench: Bench, old: dict[str, int]) -> None:
    """The receiver drops it; without its own grant the attempt would wait for ever, with a slot."""
    pools_of(bench).set("few", 1)
    run_with_waiting(bench, "a")
    change_state(bench, "a", line_ups=2)
    with writing(bench.engine) as connection:
        connection.execute(update(command).values(body={"task": "a", "attempt": 1, **old}))
    assert pools_of(bench).suspects() == ("few",)

    assert sweep(bench).untold == 1

    assert bodies(bench)[-1] == {"task": "a", "attempt": 1, "line_up": 2}
    assert sweep(bench) == Repairs()


def test_sweep_gives_out_a_slot_that_nobody_was_given(bench: Bench) -> None:
    """Who came while there was no pool; that is no fault."""
    pools_of(bench).set("few", 1)
    run = run_with_waiting(bench)
    with writing(bench.engine) as connection:
        values = {**make_place_row(run), "task": "a"}
        connection.execute(insert(pool_place).values(**values))
    bench_attempt(bench, run)

    repairs = sweep(bench)

    assert (repairs.faults, repairs.granted) == (0, 1)
    assert pools_of(bench).list()[0].repaired == 0


def forgotten(bench: Bench) -> int:
    """Return a run one of whose tasks waits for a slot of `few` and has no place: somebody deleted it."""
    definition = make_definition(TaskDefinition(name="a", type="noop", pool="few"), name="pooled")
    run = bench.submit(definition_id=Definitions(bench.engine).deploy(definition).id).id
    bench_attempt(bench, run)
    return run


def test_sweep_lines_up_whoever_waits_and_has_no_place(bench: Bench) -> None:
    """Else it would wait for ever; there need not be any other row of a pool."""
    pools_of(bench).set("few", 1)
    run = forgotten(bench)
    assert pools_of(bench).suspects() == ("few",)

    repairs = sweep(bench)

    assert (repairs.outsiders, repairs.faults, repairs.granted) == (1, 1, 1)
    assert (holders(bench), told(bench), repairs.woken) == ([("few", 1, "a")], ["a"], frozenset({run % 64}))
    assert pools_of(bench).list()[0].repaired == 1
    assert pools_of(bench).suspects() == ()


def test_whoever_has_no_place_stands_in_line_by_its_age(bench: Bench) -> None:
    """The place is that of its row; another pool's sweep leaves it alone."""
    pools_of(bench).set("few", 0)
    pools_of(bench).set("other", 1)
    forgotten(bench)
    assert sweep(bench, "other") == Repairs()

    assert sweep(bench) == Repairs(outsiders=1)

    with reading(bench.engine) as connection:
        (row,) = connection.execute(select(pool_place)).all()
    assert (row.task, row.workflow_rank, row.task_rank, row.since, row.sequence) == ("a", 2, 2, AT, 1)


def test_reason_of_a_task_without_pool_is_no_wait(bench: Bench) -> None:
    """Whatever a row says: its task's definition names no pool."""
    run = bench.submit_and_load().head.id
    bench_attempt(bench, run)

    assert pools_of(bench).suspects() == ()


def make_place_row(run: int) -> dict[str, Any]:
    """Return a row of the line of `few`."""
    fields: Sequence[str] = (
        "pool",
        "workflow_instance_id",
        "attempt",
        "workflow_rank",
        "task_rank",
        "sequence",
    )
    place = a_place(run)
    return {name: getattr(place, name) for name in fields}


def bench_attempt(bench: Bench, run: int) -> None:
    """Give a run an attempt that waits for a slot, past the pool."""
    loaded = bench.load(run)
    new = (make_attempt(loaded, "a", reason="pool"),)
    bench.commit(InstanceChange(head=loaded.head, revision=loaded.revision, new=new))


def test_zombie_sweeps_nothing(bench: Bench) -> None:
    """The sweep is fenced like every transaction of a master."""
    pools_of(bench).set("few", 1)
    run_with_waiting(bench, "a", "b")
    change_state(bench, "a", state="SUCCESS")
    with writing(bench.engine) as connection:
        connection.execute(update(slot_lease).values(epoch=slot_lease.c.epoch + 1))
    before = bench.contents()

    duty = PoolSweeper(pools_of(bench), bench.leases, lambda _slot: None, lambda: 0.0)

    assert duty.step() == 0
    assert bench.contents() == before


def test_duty_repairs_and_rings(bench: Bench) -> None:
    """The masters of the runs that got a slot are told."""
    pools_of(bench).set("few", 1)
    run = run_with_waiting(bench, "a", "b")
    granted(bench, "a")
    change_state(bench, "a", state="SUCCESS")
    rung: list[int] = []
    duty = PoolSweeper(pools_of(bench), bench.leases, rung.append, lambda: 0.0)

    assert (duty.step(), rung) == (2, [run % 64])
    assert (duty.step(), rung) == (0, [run % 64])
