"""Children in a whole master: what they are given, what they inherit, and why a task can have none."""

from typing import Any

import pytest
from sqlalchemy import update

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import (
    OnFailure,
    ParameterDefinition,
    Priority,
    TaskDefinition,
    WorkflowDefinition,
)
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.errors import StoreUnavailable
from orchestrator.store import schema
from orchestrator.store.queries import Queries
from orchestrator.store.session import writing
from tests.world import World, a_task

NUMBER = ParameterDefinition(type="integer", required=True)


def a_sub(*needs: str, workflow: str = "kid", **fields: Any) -> TaskDefinition:
    """Return a task that starts a child."""
    return a_task("sub", *needs, type="sub_workflow", spec={"workflow": workflow}, **fields)


def deploy(world: World, *tasks: TaskDefinition, name: str = "kid", **fields: Any) -> None:
    """Deploy the workflow of a child."""
    world.rig.deploy(WorkflowDefinition(name=name, tasks=tasks or (a_task("x"),), **fields))


def child(world: World) -> dict[str, Any]:
    """Return the document of the last child."""
    queries = Queries(world.rig.engine)
    found = [one["id"] for one in queries.runs() if one["parent"] is not None]
    return queries.run(found[0])


def counted(world: World, **outputs: Any) -> None:
    """Let the parent's first task give these outputs."""
    order = world.started()
    world.worker.result(order, outputs=outputs)
    world.settle()


def test_own_params_count_more_than_what_is_inherited(world: World) -> None:
    """Start parameters below them, workflow parameters below those, and only what the child declares."""
    plain = ParameterDefinition
    deploy(world, params={"n": NUMBER, "day": plain(), "region": plain(), "own": plain(default=1)})
    params = {"day": plain(default="monday"), "region": plain(default="eu"), "other": plain(default=2)}
    definition = WorkflowDefinition(
        name="w", params=params, tasks=(a_task("count"), a_sub("count", params={"n": "${count.rows}"}))
    )
    world.run = world.rig.submit(definition, {"region": "us"})
    counted(world, rows=3)

    assert child(world)["params"] == {"n": 3, "day": "monday", "region": "us"}


def test_child_inherits_from_its_parent(world: World) -> None:
    """Priority, worker group, failure strategy and planned time; the task's own group counts more."""
    deploy(world)
    world.submit(
        a_sub(worker_group="gpu"),
        priority=Priority.HIGH,
        worker_group="cpu",
        on_failure=OnFailure.END,
    )
    world.settle()
    number = child(world)["id"]
    parent, head = (world.rig.instances.load([one])[one].head for one in (world.run, number))

    assert (head.priority, head.worker_group, head.on_failure) == (Priority.HIGH, "gpu", OnFailure.END)
    assert (head.planned_time, head.parent_id, head.parent_task) == (parent.planned_time, world.run, "sub")
    assert head.slot == number % 64


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({}, "parameter 'n' of 'kid' has no value"),
        ({"n": "three"}, "parameter 'n': expected an integer, got string"),
        ({"n": 1, "m": 2}, "parameter 'm' is not declared by workflow 'kid': n"),
        ({"n": "${nobody}"}, "parameter 'n': ${nobody} has no value"),
    ],
)
def test_parameters_that_do_not_fit_fail_the_task(world: World, params: dict[str, Any], reason: str) -> None:
    """No child begins; the reason names the parameter."""
    deploy(world, params={"n": NUMBER})
    world.submit(a_sub(params=params))

    assert world.finish() is WorkflowState.FAILURE
    assert (world.attempt("sub").reason, world.attempt("sub").child) == (reason, None)


def test_unknown_and_offline_workflows_fail_the_task(world: World) -> None:
    """The reason says what to do."""
    world.submit(a_sub(workflow="nobody"))
    assert world.finish() is WorkflowState.FAILURE
    assert world.attempt("sub").reason == "there is no workflow 'nobody': deploy it"

    deploy(world)
    with writing(world.rig.engine) as connection:
        connection.execute(update(schema.workflow_definition).values(online=False))
    world.submit(a_sub())
    assert world.finish() is WorkflowState.FAILURE
    assert world.attempt("sub").reason == "workflow 'kid' is offline; put it online first"


def test_workflows_that_call_each_other_end(world: World) -> None:
    """Where it could not be seen when they were deployed; the chain stands in the reason."""
    deploy(world, a_sub(workflow="w"), name="kid")
    world.submit(a_sub())

    assert world.finish() is WorkflowState.FAILURE
    assert child(world)["tasks"][0]["reason"] == "workflow 'w' calls itself: w -> kid -> w"


def test_output_cannot_name_a_secret_of_the_child_s(world: World) -> None:
    """Only what people wrote names secrets; that reaches the child as a name."""
    deploy(world, params={"a": ParameterDefinition(), "b": ParameterDefinition()})
    world.submit(a_task("count"), a_sub("count", params={"a": "${text}", "b": "secret://key"}))
    counted(world, text="secret://key")
    assert world.attempt("sub").reason == "parameter 'a': an output cannot name a secret"

    world.submit(a_task("count"), a_sub("count", params={"a": "${text}", "b": "secret://key"}))
    counted(world, text="harmless")
    assert child(world)["params"] == {"a": "harmless", "b": "secret://key"}


def test_outputs_that_memory_does_not_keep_come_back(world: World) -> None:
    """They are read from the child's rows."""
    deploy(world)
    world.submit(a_sub(), a_task("z", "sub", params={"t": "${sub.text}"}))
    order = world.started()
    world.worker.result(order, outputs={"text": "x" * 5000})
    world.settle()

    assert len(world.taken().params["t"]) == 5000


def test_retry_starts_a_new_child_and_shows_both(world: World) -> None:
    """Each attempt shows its own."""
    deploy(world)
    world.submit(a_sub(retries=1))
    for state in (TaskState.FAILURE, TaskState.SUCCESS):
        order = world.started()
        world.worker.result(order, state)
        world.settle()

    tasks = Queries(world.rig.engine).run(world.run)["tasks"]
    assert [task["state"] for task in tasks] == ["FAILURE", "SUCCESS"]
    assert len({task["child"] for task in tasks} - {None}) == 2


def test_child_deleted_by_hand_fails_its_task(world: World) -> None:
    """Whoever asks for it hears that it is gone."""
    deploy(world)
    world.submit(a_sub())
    world.settle()
    number = child(world)["id"]
    world.rig.master.lanes.evict([number])
    with writing(world.rig.engine) as connection:
        for table, column in (
            (schema.task_instance, schema.task_instance.c.workflow_instance_id),
            (schema.workflow_instance, schema.workflow_instance.c.id),
        ):
            connection.execute(table.delete().where(column == number))
    world.command(CommandKind.STOP)
    world.settle()

    assert world.state is WorkflowState.FAILURE
    assert world.attempt("sub").reason == f"its run {number} does not exist any more"
    assert world.rig.commands.failed() == []


def test_children_wait_for_a_database_that_is_away(world: World) -> None:
    """They are made once it is back, each once."""
    deploy(world)
    world.submit(a_sub())
    source = world.rig.children
    callees = source.callees
    source.callees = away  # type: ignore[method-assign,assignment]
    world.settle()
    assert world.attempt("sub").state is TaskState.SUBMITTED

    source.callees = callees  # type: ignore[method-assign]
    world.pass_time(2)

    assert world.attempt("sub").child == child(world)["id"]


def away(_names: Any) -> Any:
    """Be a database that cannot be reached."""
    raise StoreUnavailable("away")


def failed_child(world: World) -> tuple[int, dict[str, Any]]:
    """Let a run fail because its child did; return the child, and what a word about it says."""
    deploy(world)
    world.submit(a_sub())
    world.worker.result(world.started(), state=TaskState.FAILURE)
    assert world.finish() is WorkflowState.FAILURE
    number = int(child(world)["id"])
    return number, {"task": "sub", "child": number}


def test_word_from_before_a_recover_in_one_batch_with_it_ends_nothing(world: World) -> None:
    """The database still has the child's last end; the task waits for what the child comes to this time."""
    number, word = failed_child(world)
    world.command(CommandKind.RECOVER)
    world.command(CommandKind.CHILD_CHANGED, **word)
    world.settle()
    assert world.rig.state(number) is WorkflowState.RUNNING

    world.worker.result(world.started(), state=TaskState.SUCCESS)

    assert world.finish() is WorkflowState.SUCCESS
    assert (world.attempt("sub").attempt, world.attempt("sub").child) == (2, number)


def test_word_from_before_a_recover_that_the_child_has_not_heard_of_ends_nothing(world: World) -> None:
    """The RECOVER is on its way: its answer, or the child's next end, is what counts."""
    number, word = failed_child(world)
    world.command(CommandKind.RECOVER)
    while world.rig.state(world.run) is not WorkflowState.RUNNING:
        world.rig.master.loop.step()
    world.command(CommandKind.CHILD_CHANGED, **word)
    world.settle()
    assert world.rig.state(number) is WorkflowState.RUNNING

    world.worker.result(world.started(), state=TaskState.SUCCESS)

    assert world.finish() is WorkflowState.SUCCESS
    assert world.attempt("sub").attempt == 2


@pytest.mark.parametrize("ends", [TaskState.SUCCESS, TaskState.FAILURE])
def test_child_that_was_recovered_by_hand_is_what_its_parent_finds(world: World, ends: TaskState) -> None:
    """Its parent stays as it ended; recovered then, it takes a success over, and has a failure run again."""
    number, _ = failed_child(world)
    world.command(CommandKind.RECOVER, number)
    world.settle()
    world.worker.result(world.started(), state=ends)
    world.settle()
    assert world.rig.state(world.run) is WorkflowState.FAILURE

    world.command(CommandKind.RECOVER)
    world.settle()
    if ends is TaskState.FAILURE:
        world.worker.result(world.started(), state=TaskState.SUCCESS)

    assert world.finish() is WorkflowState.SUCCESS
    assert (world.attempt("sub").attempt, world.attempt("sub").child) == (2, number)
