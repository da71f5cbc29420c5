"""Serial executions: whatever dies or fails, at most one run is under way, and each that waits has its turn."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import Execution, WorkflowDefinition
from orchestrator.core.order import Order
from orchestrator.core.status import WorkflowState
from orchestrator.errors import CommitInDoubt, LeaseLost, StoreUnavailable
from orchestrator.master.turns import Turnkeeper
from orchestrator.store import schema
from orchestrator.store.session import reading, writing
from orchestrator.store.turns import Turns
from orchestrator.testing.worker import Behaviour, Ending
from tests.contract.invariants.conftest import MakeWorld
from tests.contract.invariants.deaths import Observer, different_deaths, dying_at, sampled
from tests.contract.invariants.family import a_sub, commands, let_end, runs, send, survive
from tests.contract.invariants.faults import lease_moved_on
from tests.contract.invariants.test_sub_workflows import Shaky
from tests.world import World, a_task

K, W, E = CommandKind, WorkflowState, Execution
NAME = "ledger"
SEEDS = 12


def a_serial(execution: Execution = E.SERIAL_WAIT, **fields: Any) -> WorkflowDefinition:
    """Return a workflow whose second task takes a while."""
    tasks = (a_task("a"), a_task("b", "a", delay_s=5.0))
    return WorkflowDefinition(**{"name": NAME, "tasks": tasks, "execution": execution, **fields})


def submit(world: World, number: int, execution: Execution = E.SERIAL_WAIT) -> list[int]:
    """Submit so many runs, one after the other."""
    return [world.rig.submit(a_serial(execution)) for _ in range(number)]


def go(world: World) -> None:
    """Let everything go on that can without time passing."""
    survive(world, world.settle)


def until(world: World, run: int, state: WorkflowState) -> None:
    """Let time pass until a run is in this state."""
    while runs(world)[run] is not state:
        go(world)
        world.rig.clock.advance(3.0)


def under_way(world: World) -> list[int]:
    """Return the runs that are under way, as the rows have it."""
    columns = schema.workflow_instance.c
    with reading(world.rig.engine) as connection:
        statement = select(columns.id).where(columns.has_turn, columns.workflow == NAME)
        return list(connection.execute(statement).scalars())


def holder(world: World) -> int | None:
    """Return who has been given the turn."""
    with reading(world.rig.engine) as connection:
        return connection.execute(select(schema.serial_holder.c.workflow_instance_id)).scalar_one_or_none()


def one_at_most(world: World) -> Observer:
    """Return who looks after each commit: at most one is under way, and it has the turn."""

    def look(point: str) -> None:
        if point == "store.after_commit":
            going_on = under_way(world)
            assert going_on in ([], [holder(world)]), going_on

    return look


# --- stories ---------------------------------------------------------------------------------


def in_a_row(world: World) -> None:
    """Three runs at once."""
    submit(world, 3)


def first_paused(world: World) -> None:
    """The first one is paused under way, and keeps its turn."""
    first, *_ = submit(world, 2)
    go(world)
    send(world, K.PAUSE, first)
    go(world)
    world.rig.clock.advance(20.0)
    go(world)
    send(world, K.RESUME, first)


def second_paused(world: World) -> None:
    """The second one is paused while it waits: the third overtakes it."""
    _, second, _ = submit(world, 3)
    go(world)
    send(world, K.PAUSE, second)
    go(world)
    world.rig.clock.advance(20.0)
    go(world)
    send(world, K.RESUME, second)


def stopped(world: World) -> None:
    """One is stopped under way, one while it waits."""
    first, second, _ = submit(world, 3)
    go(world)
    send(world, K.STOP, second)
    send(world, K.STOP, first)


def recovered(world: World) -> None:
    """The first one is stopped, and recovered while the second one is under way."""
    first, *_ = submit(world, 3)
    go(world)
    send(world, K.STOP, first)
    until(world, first, W.STOPPED)
    send(world, K.RECOVER, first)


def rerun(world: World) -> None:
    """The first one runs again beside the second."""
    first, *_ = submit(world, 2)
    until(world, first, W.SUCCESS)
    send(world, K.RERUN, first)


def discarded(world: World) -> None:
    """Two come while one is under way."""
    submit(world, 1, E.SERIAL_DISCARD)
    go(world)
    submit(world, 2, E.SERIAL_DISCARD)


def overtaken(world: World) -> None:
    """Two come while one is under way: the last one stops the others."""
    submit(world, 1, E.SERIAL_PRIORITY)
    go(world)
    submit(world, 2, E.SERIAL_PRIORITY)


STORIES = (in_a_row, first_paused, second_paused, stopped, recovered, rerun, discarded, overtaken)
ENDS: dict[Callable[[World], None], list[WorkflowState]] = {
    in_a_row: [W.SUCCESS] * 3,
    first_paused: [W.SUCCESS] * 2,
    second_paused: [W.SUCCESS] * 3,
    stopped: [W.STOPPED, W.STOPPED, W.SUCCESS],
    recovered: [W.SUCCESS] * 3,
    rerun: [W.SUCCESS] * 2,
    discarded: [W.SUCCESS, W.STOPPED, W.STOPPED],
    overtaken: [W.STOPPED, W.STOPPED, W.SUCCESS],
}


def tell(world: World, story: Callable[[World], None]) -> list[WorkflowState]:
    """Carry a story to its end, without the sweep: nothing may need it; return the states."""
    story(world)
    let_end(world)
    with reading(world.rig.engine) as connection:
        refused = connection.execute(select(schema.error_command)).mappings().all()
    assert [row for row in refused if row["kind"] == "WAKE" or "serial" in row["body"]] == []
    assert (holder(world), under_way(world), commands(world)) == (None, [], [])
    assert Turns(world.rig.engine).lines() == []
    return list(runs(world).values())


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_master_may_die_at_any_point(make_world: MakeWorld, story: Callable[[World], None]) -> None:
    """Another one goes on: no chain stands still, and never are two runs under way."""
    world, ends = make_world(by_hand=False), {}
    deaths = different_deaths(world, lambda: tell(world, story), one_at_most(world))
    assert list(runs(world).values()) == ENDS[story]
    for number, point in sampled(world, deaths, every=9).items():
        another = make_world(by_hand=False)
        with dying_at(number, one_at_most(another)):
            ends[f"{number}: {point}"] = tell(another, story)

    assert len(ends) > 1
    assert {death: end for death, end in ends.items() if end != ENDS[story]} == {}


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
@pytest.mark.parametrize(
    ("error", "commits"),
    [
        (StoreUnavailable("away"), False),
        (CommitInDoubt("not done"), False),
        (CommitInDoubt("done"), True),
        (RuntimeError("a bug"), False),
    ],
    ids=["away", "in doubt", "done all the same", "bug"],
)
def test_any_commit_may_fail(
    make_world: MakeWorld, story: Callable[[World], None], error: Exception, *, commits: bool
) -> None:
    """No turn is lost or taken twice."""
    world = make_world(by_hand=False)
    world.rig.committer = Shaky(world.rig.commit, error, random.Random(1), commits)  # noqa: S311  repeatable

    with dying_at(None, one_at_most(world)):
        ends = tell(world, story)
    if story not in (overtaken, discarded, recovered):  # there it depends on who comes first
        assert ends == ENDS[story]


def test_zombie_takes_no_turn(make_world: MakeWorld) -> None:
    """Its batch is fenced; the next master begins with the run that waits."""
    world = make_world(by_hand=False)
    submit(world, 1)
    world.read()
    world.step()  # it waits, and has been given the turn
    with lease_moved_on(world), pytest.raises(LeaseLost):
        world.step()
    assert under_way(world) == []

    assert tell(world, lambda _world: None) == [W.SUCCESS]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_any_commands_at_any_moment(make_world: MakeWorld, seed: int) -> None:
    """Whatever people do to runs of all types, and masters that die: one at a time, and all end."""
    chance = random.Random(seed)  # noqa: S311  repeatable
    world = make_world(by_hand=False, seed=seed)
    serial = [E.SERIAL_WAIT, E.SERIAL_WAIT, E.SERIAL_DISCARD, E.SERIAL_PRIORITY]
    kinds = [K.PAUSE, K.RESUME, K.RESUME, K.STOP, K.RECOVER, K.RERUN]
    with dying_at(chance.randrange(20, 200), one_at_most(world)):
        for _ in range(25):
            if chance.random() < 0.4:
                submit(world, 1, chance.choice(serial))
            numbers = list(runs(world))
            if numbers:
                send(world, chance.choice(kinds), chance.choice(numbers))
            for _ in range(chance.randrange(6)):
                survive(world, world.rig.turn)
            world.rig.clock.advance(chance.choice([0.0, 0.5, 3.0]))
        let_end(world)

    assert (holder(world), under_way(world)) == (None, [])
    assert Turns(world.rig.engine).lines() == []


# --- what is lost all the same ----------------------------------------------------------------


def a_sweep(world: World) -> Turnkeeper:
    """Return the master's duty."""
    leases = world.rig.master.loop._leases
    return Turnkeeper(Turns(world.rig.engine), leases, world.streams.wake, world.rig.clock.monotonic)


def test_sweep_finds_nothing_to_repair_where_nothing_was_lost(make_world: MakeWorld) -> None:
    """It is asked after every turn of a chain."""
    world = make_world(by_hand=False)
    submit(world, 3)
    duty = a_sweep(world)
    while not all(state is W.SUCCESS for state in runs(world).values()):
        while world.rig.turn():
            assert duty.step() == 0
        world.rig.clock.advance(1.0)

    assert duty.repairs == 0


@pytest.mark.parametrize("lost", ["the mail", "the holder", "the row"])
def test_chain_that_was_broken_by_hand_is_repaired_and_counted(make_world: MakeWorld, lost: str) -> None:
    """The rows alone say that it stands still, and who is next."""
    world = make_world(by_hand=False)
    submit(world, 2)
    world.read()
    world.step()
    with writing(world.rig.engine) as connection:
        connection.execute(schema.command.delete())
        if lost == "the holder":
            connection.execute(update(schema.serial_holder).values(workflow_instance_id=None))
        if lost == "the row":
            connection.execute(schema.serial_holder.delete())
    world.settle()
    assert set(runs(world).values()) == {W.WAITING}

    duty = a_sweep(world)
    assert (duty.step(), duty.repairs, duty.step()) == (1, 1, 0)

    (line,) = Turns(world.rig.engine).lines()
    assert (line.workflow, line.repairs, line.repaired_at is not None) == (NAME, 1, True)
    let_end(world)
    assert set(runs(world).values()) == {W.SUCCESS}


def test_newcomer_that_was_never_told_to_stop_is_told_by_the_sweep(make_world: MakeWorld) -> None:
    """It does not wait by its type."""
    world = make_world(by_hand=False)
    submit(world, 2, E.SERIAL_DISCARD)
    world.read()
    world.step()
    with writing(world.rig.engine) as connection:
        connection.execute(schema.command.delete().where(schema.command.c.kind == "STOP"))
    world.settle()
    assert list(runs(world).values()) == [W.RUNNING, W.WAITING]

    assert a_sweep(world).step() == 1

    let_end(world)
    assert list(runs(world).values()) == [W.SUCCESS, W.STOPPED]


# --- versions and children --------------------------------------------------------------------


def test_run_of_a_new_version_waits_for_one_of_the_old(make_world: MakeWorld) -> None:
    """The turn belongs to the name."""
    world = make_world(by_hand=False)
    world.rig.submit(a_serial())
    world.settle()
    world.rig.submit(a_serial(description="another version"))
    world.settle()
    assert list(runs(world).values()) == [W.RUNNING, W.WAITING]

    assert tell(world, lambda _world: None) == [W.SUCCESS] * 2


def test_run_that_became_serial_waits_for_what_is_under_way_of_a_parallel_version(
    make_world: MakeWorld,
) -> None:
    """That one passes on no turn: the sweep sees its end, and that is no repair."""
    world = make_world(by_hand=False)
    submit(world, 2, E.PARALLEL)
    world.settle()
    submit(world, 2)
    world.settle()
    assert list(runs(world).values()) == [W.RUNNING, W.RUNNING, W.WAITING, W.WAITING]
    duty = a_sweep(world)
    assert duty.step() == 0

    for _ in range(10):
        world.rig.clock.advance(3.0)
        world.settle()
        duty.step()
    assert set(runs(world).values()) == {W.SUCCESS}
    assert (duty.repairs, Turns(world.rig.engine).lines()) == (0, [])


def test_run_that_became_parallel_waits_for_nobody(make_world: MakeWorld) -> None:
    """Those before it follow one another all the same."""
    world = make_world(by_hand=False)
    submit(world, 2)
    world.settle()
    submit(world, 1, E.PARALLEL)
    world.settle()
    assert list(runs(world).values()) == [W.RUNNING, W.WAITING, W.RUNNING]

    assert tell(world, lambda _world: None) == [W.SUCCESS] * 3


def test_children_of_several_parents_have_their_turns(make_world: MakeWorld) -> None:
    """The second parent's task goes on when the first one's child has ended."""
    world = make_world(by_hand=False)
    world.rig.deploy(a_serial())
    parent = WorkflowDefinition(name="parent", tasks=(a_sub(NAME),))
    for _ in range(3):
        world.rig.submit(parent)
    world.settle()
    world.settle()
    assert sorted(runs(world).values()) == [W.RUNNING] * 4 + [W.WAITING] * 2

    with dying_at(None, one_at_most(world)):
        assert tell(world, lambda _world: None) == [W.SUCCESS] * 6


def test_child_that_is_recovered_with_its_parent_waits_for_the_parents_turn(make_world: MakeWorld) -> None:
    """It goes on with its parent, not before, and is the same child."""
    world = make_world(by_hand=False)
    world.rig.deploy(WorkflowDefinition(name="kid", tasks=(a_task("x"), a_task("y", "x", delay_s=5.0))))
    parent = a_serial(tasks=(a_sub("kid"), a_task("z", "sub")))
    first = world.rig.submit(parent)
    world.settle()
    world.settle()
    (child,) = set(runs(world)) - {first}
    send(world, K.STOP, first)
    world.settle()
    assert set(runs(world).values()) == {W.STOPPED}
    world.rig.submit(parent)
    world.settle()
    send(world, K.RECOVER, first)
    world.settle()
    assert (runs(world)[first], runs(world)[child]) == (W.WAITING, W.STOPPED)

    with dying_at(None, one_at_most(world)):
        let_end(world)
    assert set(runs(world).values()) == {W.SUCCESS}
    assert len(runs(world)) == 4


def test_waiting_run_with_a_child_to_recover_can_be_stopped(make_world: MakeWorld) -> None:
    """Nothing of it is left waiting, and it can be recovered again."""
    world = make_world(by_hand=False)
    world.rig.deploy(WorkflowDefinition(name="kid", tasks=(a_task("x"), a_task("y", "x", delay_s=5.0))))
    parent = a_serial(tasks=(a_sub("kid"), a_task("z", "sub")))
    first = world.rig.submit(parent)
    world.settle()
    world.settle()
    send(world, K.STOP, first)
    world.settle()
    world.rig.submit(parent)
    world.settle()
    for pauses in (False, True):
        send(world, K.RECOVER, first)
        world.settle()
        if pauses:
            send(world, K.PAUSE, first)
            world.settle()
            assert runs(world)[first] is W.PAUSED
        send(world, K.STOP, first)
        world.settle()
        assert runs(world)[first] is W.STOPPED
    send(world, K.RECOVER, first)

    let_end(world)
    assert set(runs(world).values()) == {W.SUCCESS}


def test_map_that_is_recovered_while_its_run_waits_goes_on_with_what_failed(make_world: MakeWorld) -> None:
    """Nothing of it begins before its turn; what had succeeded stays."""
    world = make_world(by_hand=False, behaviour=fail_second_element_once())
    spread = a_task("spread", map_over=[1, 2, 3], params={"n": "${item}"})
    first = world.rig.submit(a_serial(tasks=(spread, a_task("z", "spread"))))
    until(world, first, W.FAILURE)
    world.rig.submit(a_serial())
    world.settle()
    send(world, K.RECOVER, first)
    world.settle()
    assert runs(world)[first] is W.WAITING

    with dying_at(None, one_at_most(world)):
        let_end(world)
    world.run = first
    ran = [(row.task, row.attempt) for row in world.rows() if row.task.startswith("spread[")]
    assert set(runs(world).values()) == {W.SUCCESS}
    assert sorted(ran) == [("spread[0]", 1), ("spread[1]", 1), ("spread[1]", 2), ("spread[2]", 1)]


def fail_second_element_once() -> Behaviour:
    """Let the second element fail in its first attempt."""

    def behave(order: Order, /) -> Ending:
        if (order.task, order.attempt) == ("spread[1]", 1):
            return Ending(error="ValueError", reason="no")
        return Ending()

    return behave
