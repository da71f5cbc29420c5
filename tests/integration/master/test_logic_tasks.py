"""Tasks that the master decides: expressions over real outputs, signals, and what a crash leaves of them."""

from typing import Any

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import TaskDefinition
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.errors import StoreUnavailable
from tests.world import World, a_task


def route(when: str, **fields: Any) -> tuple[TaskDefinition, ...]:
    """A switch on what `count` gave, with a branch and a default."""
    cases = [{"when": when, "then": ["many"]}]
    return (
        a_task("count"),
        a_task("route", "count", type="switch", spec={"cases": cases, "default": ["few"]}, **fields),
        a_task("many", "route"),
        a_task("few", "route"),
    )


def counted(world: World, **outputs: Any) -> None:
    """Let the first task give these outputs."""
    order = world.started()
    world.worker.result(order, outputs=outputs)
    world.settle()


def states(world: World) -> dict[str, str]:
    """Return the state of each task's current attempt."""
    return {row.task: row.state.value for row in world.rows() if row.current}


def away(_keys: Any) -> Any:
    """Be a database that cannot be reached."""
    raise StoreUnavailable("away")


def test_a_switch_sees_outputs_by_bare_and_by_qualified_name(world: World) -> None:
    """The first case that is true wins."""
    for when in ("${rows} > 10", "${count.rows} > 10", "rows > limit"):
        world.submit(*route(when, params={"limit": 10}))
        counted(world, rows=11)

        assert world.finish() is WorkflowState.SUCCESS
        assert (states(world)["many"], states(world)["few"]) == ("SUCCESS", "SKIPPED")


def test_an_output_that_memory_does_not_keep_is_fetched(world: World) -> None:
    """It is longer than what stays in the master."""
    world.submit(*route("size(${text}) > 3000"))
    counted(world, text="x" * 4000)

    world.finish()

    assert states(world)["many"] == "SUCCESS"


def test_an_expression_that_cannot_be_worked_out_fails_its_task(world: World) -> None:
    """The reason names what is missing; nothing else is disturbed."""
    world.submit(*route("${rowz} > 10"))
    counted(world, rows=11)

    assert world.finish() is WorkflowState.FAILURE
    assert states(world) == {"count": "SUCCESS", "route": "FAILURE"}
    assert world.attempt("route").reason == "${rowz} has no value"


def test_a_switch_is_judged_by_the_next_master_if_one_dies(world: World) -> None:
    """Its submitted row says that it is to be judged."""
    # Teeth: fails when `Effects.enact` does not put a loaded switch on the docket.
    world.submit(*route("${rows} > 10"))
    order = world.started()
    world.worker.result(order, outputs={"rows": 11})
    world.read()
    world.rig.master.loop.step()  # commits the result; the judgement is only on its way
    world.restart_master()

    world.finish()

    assert states(world)["many"] == "SUCCESS"


def test_a_switch_waits_for_a_database_that_is_away(world: World) -> None:
    """The outputs that it looks at are there; nothing is judged on less."""
    world.submit(*route("size(${text}) > 3000"))
    order = world.started()
    world.worker.result(order, outputs={"text": "x" * 4000})
    outputs = world.rig.instances.outputs
    world.rig.instances.outputs = away  # type: ignore[method-assign,assignment]
    world.settle()
    assert states(world)["route"] == "SUBMITTED"

    world.rig.instances.outputs = outputs  # type: ignore[method-assign]
    world.finish()

    assert states(world)["many"] == "SUCCESS"


def test_an_approval_outlives_its_master(world: World) -> None:
    """The signal reaches whoever is master; the data flow on."""
    world.submit(
        a_task("approve", type="approval", outputs={"by": "string"}),
        a_task("go", "approve", params={"who": "${by}"}),
    )
    world.settle()
    assert world.attempt("approve").state is TaskState.RUNNING
    world.restart_master()

    world.command(CommandKind.SIGNAL, task="approve", outputs={"by": "Ada"})
    world.settle()
    order = world.taken()

    assert order.params == {"who": "Ada"}


def test_a_signal_that_does_not_fit_is_kept_with_the_reason(world: World) -> None:
    """Nobody loses a command: it stands in `error_command`."""
    world.submit(a_task("approve", type="approval"))
    world.settle()

    world.command(CommandKind.SIGNAL, task="reject", outputs={})
    world.settle()

    (failed,) = world.rig.commands.failed()
    assert "no approval task 'reject'" in failed["reason"]
    assert world.attempt("approve").state is TaskState.RUNNING


def test_an_approval_s_time_is_up_without_any_worker(world: World) -> None:
    """Its default counts; nobody's silence is judged, so nothing has to be read first."""
    world.submit(
        a_task("approve", type="approval", timeout_s=30.0, spec={"default": {"by": "nobody"}}),
        a_task("go", "approve"),
    )
    world.pass_time(29)
    assert world.attempt("approve").state is TaskState.RUNNING

    world.pass_time(2)

    assert world.attempt("approve").outputs == {"by": "nobody"}
    assert world.finish() is WorkflowState.SUCCESS
