"""Owns the family of runs of the sub-workflow tests: how it is set going, shaken, and looked over at its end."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import TaskDefinition, WorkflowDefinition
from orchestrator.core.status import TASK_FINAL, WORKFLOW_FINAL, TaskState, WorkflowState
from orchestrator.store import schema
from orchestrator.store.rows import ATTEMPT_COLUMNS, attempt_of
from orchestrator.store.session import reading
from tests.world import Killed, World, a_task

ENDS = {
    WorkflowState.SUCCESS: TaskState.SUCCESS,
    WorkflowState.FAILURE: TaskState.FAILURE,
    WorkflowState.STOPPED: TaskState.KILLED,
}


def a_sub(workflow: str, *needs: str, name: str = "sub", **fields: Any) -> TaskDefinition:
    """Return a task that starts a child."""
    return a_task(name, *needs, type="sub_workflow", spec={"workflow": workflow}, **fields)


def deploy_chain(world: World, depth: int, **fields: Any) -> WorkflowDefinition:
    """Deploy workflows that call one another, `depth` deep; return the first."""
    for level in range(depth, 0, -1):
        tasks = [a_task("before"), a_task("after", "sub" if level < depth else "before")]
        if level < depth:
            tasks.insert(1, a_sub(f"level{level + 1}", "before", **fields))
        definition = WorkflowDefinition(name=f"level{level}", tasks=tuple(tasks))
        world.rig.deploy(definition)
    return definition


def runs(world: World) -> dict[int, WorkflowState]:
    """Return the state of every run."""
    columns = schema.workflow_instance.c
    with reading(world.rig.engine) as connection:
        rows = connection.execute(select(columns.id, columns.state).order_by(columns.id))
        return {number: WorkflowState(state) for number, state in rows}


def send(world: World, kind: CommandKind, run: int) -> None:
    """Leave a person's command for a run, and say so."""
    world.streams.wake(world.rig.commands.send(run, kind).slot)


def child_of(world: World) -> int:
    """Return the first child of the world's run, once it has begun."""
    columns = schema.workflow_instance.c
    statement = select(columns.id).where(columns.parent_id == world.run).order_by(columns.id)
    for _ in range(100):
        survive(world, world.settle)
        with reading(world.rig.engine) as connection:
            found = connection.execute(statement).scalars().first()
        if found is not None:
            return int(found)
        world.rig.clock.advance(3.0)
    raise AssertionError(f"no child begins: {runs(world)}")


def commands(world: World) -> list[int]:
    """Return the ids of the commands and the mail that wait for a master."""
    with reading(world.rig.engine) as connection:
        return list(connection.execute(select(schema.command.c.id)).scalars())


def survive(world: World, act: Callable[[], object]) -> None:
    """Do something; if the master dies in it, another one goes on."""
    try:
        act()
    except Killed:
        world.restart_master()


def let_end(world: World, most_s: int = 600) -> None:
    """Let time pass, and resume whatever is held, until every run has ended and no command waits."""
    for _ in range(most_s):
        survive(world, world.settle)
        states = runs(world)
        if all(state in WORKFLOW_FINAL for state in states.values()) and not commands(world):
            return
        for number, state in states.items():
            if state is WorkflowState.PAUSED:
                send(world, CommandKind.RESUME, number)
        world.rig.clock.advance(3.0)
    raise AssertionError(f"runs do not end: {runs(world)}")


def look_over(world: World) -> None:
    """Every task says what its child came to; no run has two parents, no mail is left, none was refused."""
    states = runs(world)
    with reading(world.rig.engine) as connection:
        rows = [attempt_of(row) for row in connection.execute(select(*ATTEMPT_COLUMNS)).mappings()]
        instances = connection.execute(select(schema.workflow_instance)).mappings().all()
        refused = connection.execute(select(schema.error_command)).mappings().all()
    waited_for = [row.child for row in rows if row.child is not None]
    assert sorted(set(waited_for)) == sorted(row["id"] for row in instances if row["parent_id"] is not None)
    assert all(row.state in TASK_FINAL for row in rows)
    for row in {row.child: row for row in sorted(rows, key=lambda row: row.attempt)}.values():
        if row.child is not None and row.reason != "timeout":
            assert row.state is ENDS[states[row.child]], (row, states)
    assert commands(world) == []
    assert [row for row in refused if "parent" in row["body"] or "child" in row["body"]] == []
