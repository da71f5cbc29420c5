"""Looks that are spared would really have found nothing, and change nothing of what happens."""

from collections.abc import Iterator

import pytest

from orchestrator.core.definition import TaskDefinition, WorkflowDefinition
from orchestrator.errors import StoreUnavailable
from orchestrator.store.definitions import Definitions
from orchestrator.store.submissions import Submissions, SubmitRequest
from tests.simulation import workload
from tests.simulation.database import Database, Spoiler
from tests.simulation.idle_looks import IdleLooks, LookedAtCommands
from tests.simulation.schedule import BEGINNING
from tests.simulation.simulation import simulate
from tests.simulation.story import Story, listening

SEEDS = (3, 8, 12, 109, 225)
"""With pools, outages of the database, deaths, windows."""

AT_LEAST = 20
"""So many looks are spared in each of these."""


class Weather:
    """Whether the database is away."""

    away = False


@pytest.fixture
def weather() -> Weather:
    """A database that answers."""
    return Weather()


@pytest.fixture
def database(weather: Weather) -> Iterator[Database]:
    """An empty database, asked by a master."""
    one = Database(proving=True)
    one.begin(
        lambda: BEGINNING, Spoiler(away=lambda: weather.away, master=lambda: "m", in_loop=lambda: False)
    )
    yield one
    one.end()


def told(seed: int, database: Database) -> list[str]:
    """Return the story of a seed."""
    story = Story(listening=True)
    with listening(story):
        simulate(workload.draw(seed), database, story)
    return story.lines


@pytest.mark.parametrize("seed", SEEDS)
def test_looks_that_are_spared_would_have_found_nothing(seed: int) -> None:
    """Made all the same, they find nothing, write nothing, and the story is the same."""
    proving = Database(proving=True)

    assert told(seed, proving) == told(seed, Database())
    assert proving.proved >= AT_LEAST


def test_a_look_is_spared_until_there_is_something(database: Database) -> None:
    """The first one asks, the second one would find the same, the third one finds what came in between."""
    commands = LookedAtCommands(IdleLooks(database))

    assert [len(commands.look([0, 1], 10)) for _ in range(2)] == [0, 0]
    assert database.proved == 1
    submit(database)
    assert len(commands.look([0, 1], 10)) == 1


def test_another_question_is_another_look(database: Database) -> None:
    """Nothing in one slot says nothing about another one."""
    commands = LookedAtCommands(IdleLooks(database))

    commands.look([0], 10)
    commands.look([1], 10)

    assert database.proved == 0


def test_a_database_that_is_away_is_asked(database: Database, weather: Weather) -> None:
    """What strikes a look strikes it, whatever it would find."""
    commands = LookedAtCommands(IdleLooks(database))
    commands.look([0], 10)

    weather.away = True

    with pytest.raises(StoreUnavailable):
        commands.look([0], 10)


def test_a_look_that_must_not_be_spared_is_noticed(database: Database) -> None:
    """What a look finds must follow from the rows it reads."""
    looks, found = IdleLooks(database), iter([[], ["news"]])

    looks.find("news", lambda: next(found), list)

    with pytest.raises(AssertionError, match="a look would have found"):
        looks.find("news", lambda: next(found), list)


def submit(database: Database) -> None:
    """Start a run, which finds its START."""
    task = TaskDefinition(name="a", type="shell", spec={"script": "true"})
    deployed = Definitions(database.engine).deploy(WorkflowDefinition(name="w", tasks=(task,)), online=True)
    Submissions(database.engine).submit(SubmitRequest(definition_id=deployed.id))
