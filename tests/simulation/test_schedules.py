"""Schedules and a backfill during a simulation's faults: no planned time is lost or doubled, by each misfire rule.

Their workflow is one disabled task: what happens to tasks is the business of the other simulations.
"""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import select

from orchestrator.authoring.cron import CronTimes
from orchestrator.core.definition import TaskDefinition, WorkflowDefinition
from orchestrator.core.schedule import Schedule, fires_between
from orchestrator.store import schema
from orchestrator.store.backfills import Backfills
from orchestrator.store.definitions import Definitions
from orchestrator.store.new_backfills import BackfillRequest
from orchestrator.store.schedules import Schedules
from orchestrator.store.session import reading
from tests.simulation import faults, oracle, workload
from tests.simulation.database import Database
from tests.simulation.simulation import limit_s
from tests.simulation.story import Story, quiet
from tests.simulation.world import World

EVERY_S = 5
LASTS_S = 90
DAYS = 12
RULES = ("all", "once", "skip")
SEEDS = range(40)


@pytest.fixture(scope="module")
def database() -> Database:
    """The engine that all simulations of this module share."""
    quiet()
    return Database()


def plan_schedules(world: World) -> tuple[datetime, datetime]:
    """Deploy a workflow for each rule, with a schedule that ends; return its first and last moment."""
    now = world.schedule.wall(0.0)
    end = now + timedelta(seconds=LASTS_S)
    for rule in RULES:
        written = {"cron": f"*/{EVERY_S} * * * * *", "misfire": rule, "end": end.isoformat()}
        Definitions(world.engine).deploy(a_workflow(rule, written))
    return now, end


def plan_backfill(world: World) -> None:
    """Make a serial backfill of some days."""
    first = datetime(2026, 3, 1, tzinfo=UTC)
    last = first + timedelta(days=DAYS - 1)
    daily = Schedule(cron="0 0 * * *", timezone="UTC")
    deployed = Definitions(world.engine).deploy(a_workflow("filled"))
    Backfills(world.engine).create(
        BackfillRequest(
            definition_id=deployed.id,
            fires=tuple(fires_between(daily, first, last, CronTimes())),
            first=first,
            last=last,
            cron=daily.cron,
            timezone=daily.timezone,
            max_parallel=1,
        )
    )


def a_workflow(name: str, *schedules: dict[str, str]) -> WorkflowDefinition:
    """Return a workflow that ends by itself."""
    task = TaskDefinition(name="a", type="noop", disabled=True)
    return WorkflowDefinition(name=name, tasks=(task,), schedules=schedules)


def is_over(world: World) -> bool:
    """Return whether no schedule fires any more, and everything has ended."""
    if any(one.next_at is not None for one in Schedules(world.engine).list()):
        return False
    return not Backfills(world.engine).look(range(64)).waiting and oracle.is_over(world)


def runs_of(world: World, workflow: str) -> list[tuple[datetime, str]]:
    """Return the planned time and state of each run, in the order in which they were started."""
    columns = schema.workflow_instance.c
    statement = select(columns.planned_time, columns.state).where(columns.workflow == workflow)
    with reading(world.engine) as connection:
        return [(at, state) for at, state in connection.execute(statement.order_by(columns.id))]


@pytest.mark.parametrize("seed", SEEDS)
def test_no_planned_time_is_lost_or_doubled(database: Database, seed: int) -> None:
    """Masters die, the database goes away, its clock jumps: `all` fires each time, `once` at least the last one.

    Teeth: fails where `all` makes nothing up, and with a fire whose note is a transaction of its own.
    """
    plan = workload.draw(seed)
    world = World(plan, database, Story())
    try:
        world.begin()
        for fault in plan.faults:
            world.schedule.at(fault.at_s, partial(faults.cause, world, fault))
        first, last = plan_schedules(world)
        plan_backfill(world)
        world.schedule.run(lambda: bool(world.schedule.errors) or is_over(world), limit_s(plan) + LASTS_S)

        fired = {rule: [at for at, _ in runs_of(world, rule)] for rule in RULES}
        filled = runs_of(world, "filled")
        assert world.schedule.errors == []
        assert world.spoiler.trespassers == []
    finally:
        world.close()
    grid = Schedule(cron=f"*/{EVERY_S} * * * * *", timezone="UTC")
    expected = [
        one.planned_time for one in fires_between(grid, first, last, CronTimes()) if one.planned_time > first
    ]
    assert fired["all"] == expected
    for rule in RULES:
        assert len(fired[rule]) == len(set(fired[rule]))
        assert set(fired[rule]) <= set(expected)
    assert fired["once"][-1] == expected[-1]
    assert [at.day for at, _ in filled] == list(range(1, DAYS + 1))
    assert {state for _, state in filled} == {"SUCCESS"}
