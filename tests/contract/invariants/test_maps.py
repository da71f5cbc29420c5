"""Maps: whatever dies or fails, each element succeeds once, and the group ends with all of their outputs."""

from collections.abc import Callable

import pytest

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.core.instance import TaskInstance
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.store.queries import Queries
from tests.contract.invariants.conftest import MakeWorld
from tests.contract.invariants.deaths import different_deaths, dying_at
from tests.contract.invariants.family import let_end, send, survive
from tests.world import World, a_task

K = CommandKind
ITEMS = ["a", "b", "c", "d"]


def plain(_world: World) -> None:
    """Nobody does anything."""


def paused(world: World) -> None:
    """The run is paused and resumed."""
    send(world, K.PAUSE, world.run)
    survive(world, world.settle)
    send(world, K.RESUME, world.run)


def stopped_and_recovered(world: World) -> None:
    """The run is stopped, and then recovered."""
    send(world, K.STOP, world.run)
    let_end(world)
    send(world, K.RECOVER, world.run)


STORIES = (plain, paused, stopped_and_recovered)


def submit(world: World) -> None:
    """Submit a map with a task behind it."""
    tasks = (
        a_task("load", map_over=ITEMS, max_parallel=2, delay_s=1.0),
        a_task("behind", "load", params={"all": "${load.*}"}),
    )
    world.run = world.rig.submit(WorkflowDefinition(name="w", tasks=tasks))


def current(world: World) -> dict[str, TaskInstance]:
    """Return the current attempts of the run."""
    loaded = world.rig.instances.load([world.run], whole=[world.run])[world.run]
    return {one.task: one for one in loaded.attempts}


def look_over(world: World) -> None:
    """Every element has succeeded, the group and what is behind it too; nothing is left that must not be."""
    document = Queries(world.rig.engine).run(world.run)
    assert document["state"] == WorkflowState.SUCCESS
    attempts = current(world)
    assert sorted(attempts) == ["behind", "load", *(f"load[{index}]" for index in range(len(ITEMS)))]
    assert all(one.state is TaskState.SUCCESS for one in attempts.values()), attempts
    assert attempts["load"].outputs == {"result": [None] * len(ITEMS)}
    successes = [(one["name"], one["state"]) for one in document["tasks"] if one["state"] == "SUCCESS"]
    assert len(successes) == len(set(successes)), "an element has succeeded twice"


def tell(world: World, story: Callable[[World], None]) -> None:
    """Run a map through a story to the end."""
    submit(world)
    survive(world, world.settle)
    world.rig.clock.advance(1.0)
    survive(world, world.settle)
    story(world)
    let_end(world)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_every_death_of_a_master_leaves_the_elements_as_they_are(
    make_world: MakeWorld, story: Callable[[World], None]
) -> None:
    """At each crash point that the story passes, one after the other."""
    world = make_world(by_hand=False)
    deaths = different_deaths(world, lambda: tell(world, story))
    look_over(world)
    assert len(deaths) > 20

    for number in deaths:
        another = make_world(by_hand=False)
        with dying_at(number):
            tell(another, story)
        look_over(another)


def test_thousand_elements_are_created_in_steps_and_survive_a_new_master(make_world: MakeWorld) -> None:
    """The rest is owed: whoever takes the run over goes on with it."""
    world = make_world()
    world.submit(a_task("load", map_over=list(range(1000))))
    world.settle()
    world.restart_master()
    world.settle()

    assert len(current(world)) == 1001
