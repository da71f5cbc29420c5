"""Definitions that can no longer be understood: nothing is lost, nothing is called a success."""

from sqlalchemy import update

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import WorkflowDefinition, to_document
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.store import schema
from orchestrator.store.session import writing
from tests.world import World, a_task

CYCLE = WorkflowDefinition(name="w", tasks=(a_task("only", "other"), a_task("other", "only")))


def test_a_run_paused_before_it_began_does_not_succeed_without_its_tasks(world: World) -> None:
    """Its definition can never start: resume is refused, stop works.

    Teeth: fails without the look at RESUME in `Batch._decide_command`.
    """
    world.submit(*CYCLE.tasks)
    with writing(world.rig.engine) as connection:
        connection.execute(update(schema.command).values(kind=CommandKind.PAUSE.value))
    world.settle()
    world.command(CommandKind.RESUME)
    world.settle()
    assert world.state == "PAUSED"
    assert "can never start" in world.rig.commands.failed()[0]["reason"]

    world.command(CommandKind.STOP)
    world.settle()

    assert world.state is WorkflowState.STOPPED


def test_the_reports_of_a_run_that_is_not_understood_any_more_wait(world: World) -> None:
    """Another program version: the healthy task is not told to stop, and its RESULT is kept.

    Teeth: fails without `raise` in `Lanes._admit`.
    """
    world.submit(a_task("only"))
    order = world.started()
    with writing(world.rig.engine) as connection:
        connection.execute(update(schema.workflow_definition).values(document=to_document(CYCLE)))
    world.restart_master()
    entry = world.worker.result(order)
    world.pass_time(20)
    assert world.verdict(entry) is None

    good = WorkflowDefinition(name="w", tasks=(a_task("only"),))
    with writing(world.rig.engine) as connection:
        connection.execute(update(schema.workflow_definition).values(document=to_document(good)))
    world.pass_time(300)

    assert world.verdict(entry) == "ok"
    assert world.attempt("only").state is TaskState.SUCCESS
