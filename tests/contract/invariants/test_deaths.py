"""How the places for deaths are chosen: what is left out comes to nothing else than what is told."""

from tests.contract.invariants.conftest import MakeWorld
from tests.contract.invariants.deaths import different_deaths, dying_at
from tests.contract.invariants.family import let_end
from tests.world import World, a_task


def tell(world: World) -> None:
    """Run two tasks, one after the other."""
    world.submit(a_task("a"), a_task("b", "a"))
    let_end(world)


def outcome(world: World) -> tuple[object, ...]:
    """Return the rows, and how much was published, run, said and acknowledged."""
    spoken = world.streams._count, len(world.streams.acknowledged)
    return world.picture(), len(world.broker.published), len(world.rig.worker.ran), *spoken


def test_deaths_that_are_left_out_end_like_the_next_one_that_is_told(make_world: MakeWorld) -> None:
    """Every crash point of a short story: those of one row leave the same behind."""
    reached: list[str] = []
    world = make_world(by_hand=False)
    deaths = different_deaths(world, lambda: tell(world), reached.append)
    assert 5 < len(deaths) < len(reached)

    outcomes = []
    for number in range(1, len(reached) + 1):
        another = make_world(by_hand=False)
        with dying_at(number):
            tell(another)
        outcomes.append(outcome(another))

    first = 0
    for last in deaths:
        assert outcomes[first:last] == [outcomes[last - 1]] * (last - first)
        first = last


def test_a_death_behind_a_write_is_another_one(make_world: MakeWorld) -> None:
    """Before and after a commit, an acknowledgement and a publication are told apart."""
    world = make_world(by_hand=False)

    deaths = set(different_deaths(world, lambda: tell(world)).values())

    assert deaths >= {
        "store.after_flush",
        "master.after_commit",
        "master.after_acknowledge",
        "master.after_dispatch",
    }
