"""Cached tasks in the master: what was worked out once is not dispatched again, and nothing else is kept."""

from typing import Any

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import ParameterDefinition, TaskDefinition, WorkflowDefinition
from orchestrator.core.order import Order
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.errors import StoreUnavailable
from orchestrator.store.cache import Cache
from orchestrator.store.environments import Environments
from tests.world import World, a_task

ROWS = {"rows": 3, "files": ["a", {"b": None}]}


def kept(**fields: Any) -> TaskDefinition:
    """A shell task whose outputs are kept."""
    values: dict[str, Any] = {"type": "shell", "spec": {"run": "load"}, "cache": True, **fields}
    return a_task("only", **values)


def worked_out(world: World, outputs: dict[str, Any] | None = None) -> Order:
    """Let the task that is out succeed; return its order."""
    order = world.started()
    world.worker.result(order, outputs=ROWS if outputs is None else outputs)
    world.settle()
    return order


def entries(world: World) -> int:
    """How many outputs are kept."""
    return Cache(world.rig.engine).count()


def is_hit(world: World, *tasks: TaskDefinition, **fields: Any) -> bool:
    """Submit a run; return whether it ends without a dispatch. It is ended in any case."""
    world.submit(*(tasks or (kept(),)), **fields)
    world.settle()
    hit = world.attempt("only").state is TaskState.SUCCESS
    if not hit:
        worked_out(world)
    return hit


def test_what_was_worked_out_is_not_dispatched_again(world: World) -> None:
    """The second run ends SUCCESS with the outputs of the first, says so, and goes on behind the task."""
    first = world.submit(kept())
    worked_out(world)

    world.submit(kept(), a_task("after", "only"))
    world.settle()

    row = world.attempt("only")
    assert (row.state, row.outputs, row.worker) == (TaskState.SUCCESS, ROWS, None)
    assert row.reason == f"from cache of run {first}"
    assert row.dispatched_at is None
    assert [one.split(":")[1] for one in world.broker.published] == ["only", "after"]
    world.assert_memory_equals_rows()


def test_a_task_without_cache_runs_each_time(world: World) -> None:
    """Nothing is looked up, and nothing is kept."""
    assert not is_hit(world, kept(cache=False))
    assert entries(world) == 0
    assert not is_hit(world, kept(cache=False))


def test_other_inputs_are_another_key(world: World) -> None:
    """Definition, start parameters, environment: each of them counts."""
    variables = Environments(world.rig.engine)
    variables.set("staging", {"REGION": "eu"})
    task = kept(params={"n": "1"}, environment="staging")
    assert not is_hit(world, task)
    assert is_hit(world, task)

    assert not is_hit(world, kept(params={"n": "2"}, environment="staging"))
    assert not is_hit(world, kept(params={"n": "1"}, environment="staging", spec={"run": "load more"}))
    assert not is_hit(world, task, name="another")
    variables.set("staging", {"REGION": "us"})
    assert not is_hit(world, task)


def test_what_changes_nothing_about_the_outputs_is_no_part_of_the_key(world: World) -> None:
    """Retries, timeouts, descriptions, and the neighbours may change."""
    assert not is_hit(world)

    assert is_hit(world, kept(retries=3, timeout_s=60.0, description="new"), a_task("other"), name="w")


def test_outputs_of_upstreams_are_inputs(world: World) -> None:
    """A task behind others is found again when they gave the same."""
    tasks = (a_task("extract"), a_task("only", "extract", cache=True, params={"n": "${extract.rows}"}))
    for rows, is_found in ((1, False), (1, True), (2, False)):
        world.submit(*tasks)
        worked_out(world, {"rows": rows})
        if not is_found:
            worked_out(world)
        assert world.state is WorkflowState.SUCCESS


def test_a_built_in_counts_where_the_task_names_it(world: World) -> None:
    """Each run has its own id: it counts in `params`, and where the script or a field names it."""
    name = "${workflow_instance_id}"
    for task in (
        kept(params={"id": name}),
        kept(spec={"run": f"echo {name}"}),
        kept(type="http", spec={"url": f"https://example.org/{name}"}),
    ):
        assert not is_hit(world, task)
        assert not is_hit(world, task)


def test_only_a_real_success_is_kept(world: World) -> None:
    """No failure, no success that a person declares, and no dry run; nor does a dry run take anything."""
    world.submit(kept())
    world.worker.result(world.started(), TaskState.FAILURE)
    world.settle()
    world.command(CommandKind.FORCE_SUCCESS, task="only", attempt=1, outputs={})
    world.settle()
    assert (world.attempt("only").state, entries(world)) == (TaskState.FORCED_SUCCESS, 0)

    definition = WorkflowDefinition(name="w", tasks=(kept(),))
    world.run = world.rig.submit(definition, dry_run=True)
    world.settle()
    assert (world.state, entries(world)) == (WorkflowState.SUCCESS, 0)
    assert not is_hit(world)

    world.run = world.rig.submit(definition, dry_run=True)
    world.settle()
    assert world.attempt("only").reason == "dry run"


def test_a_failed_check_that_is_only_told_keeps_nothing(world: World) -> None:
    """Outputs that are known to be wrong must not spread."""
    task = kept(check={"expression": "${rows} > 5", "on_false": "alert"})
    assert not is_hit(world, task)
    assert not is_hit(world, task)
    assert entries(world) == 0


def test_kept_outputs_are_checked_again_where_the_check_looks_around(world: World) -> None:
    """A check may compare with what is no input of the task: if it does not hold, the task runs."""
    expression = {"expression": "${rows} == ${expected}"}
    task = a_task("only", type="python", spec={"call": "a:b"}, cache=True, check=expression)
    for expected, is_found in ((3, False), (3, True), (4, False)):
        world.submit(task, params={"expected": ParameterDefinition(default=expected)})
        world.settle()
        assert (world.state is WorkflowState.SUCCESS) is is_found
        if not is_found:
            worked_out(world)
    assert world.attempt("only").state is TaskState.FAILURE


def test_big_outputs_come_whole(world: World) -> None:
    """What memory does not keep is found in the row of the run before."""
    big = {"text": "x" * 5000}
    world.submit(kept())
    worked_out(world, big)

    world.submit(kept())
    world.settle()

    assert world.attempt("only").outputs == big


def test_secrets_count_by_their_names(world: World) -> None:
    """The key knows no value and no ticket: the same name is found again."""
    task = kept(params={"token": "secret://token"})
    assert not is_hit(world, task)
    assert is_hit(world, task)
    assert not is_hit(world, kept(params={"token": "secret://other"}))


def test_a_retry_and_a_later_dispatch_look_again(world: World) -> None:
    """What somebody else has worked out meanwhile is taken."""
    world.submit(kept(retries=1, retry_delay_s=5.0))
    slow = world.run
    world.worker.result(world.started(), TaskState.FAILURE)
    world.settle()
    world.submit(kept())
    worked_out(world)
    world.run = slow

    world.pass_time(7)

    assert world.state is WorkflowState.SUCCESS
    assert world.attempt("only").reason == f"from cache of run {slow + 1}"


def test_while_the_database_is_away_nothing_goes_out(world: World) -> None:
    """A look that failed is repeated; nothing is dispatched without one."""
    stored = world.rig.master.loop._crew.dispatcher._cached

    class Away:
        def find(self, _keys: Any) -> Any:
            raise StoreUnavailable("away")

    source, stored._source = stored._source, Away()
    world.submit(kept())
    world.pass_time(2)
    assert world.broker.published == []

    stored._source = source
    world.pass_time(2)
    assert len(world.broker.published) == 1


def test_an_environment_that_changes_before_the_dispatch_keeps_nothing_wrong(world: World) -> None:
    """Outputs are kept under what the order was made of; where that is not sure they are not kept."""
    # Teeth: fails if the dispatcher keeps under the key of the look, whatever the order was made of.
    variables = Environments(world.rig.engine)
    variables.set("staging", {"REGION": "eu"})
    world.submit(kept(environment="staging"))
    world.read()
    world.step()  # the start is committed, and the dispatcher has looked
    world.step()  # the look is committed
    variables.set("staging", {"REGION": "us"})
    world.settle()
    order = world.started()
    assert order.parameters["REGION"] in ("eu", "us")
    world.worker.result(order, outputs=ROWS)
    world.settle()

    hits = {}
    for region in ("eu", "us"):
        variables.set("staging", {"REGION": region})
        hits[region] = is_hit(world, kept(environment="staging"))
    assert not hits[{"eu": "us", "us": "eu"}[order.parameters["REGION"]]]


def test_a_new_master_goes_on_with_what_was_looked_up(world: World) -> None:
    """The key stands in the row: a success after a takeover is kept."""
    world.submit(kept())
    order = world.started()
    world.restart_master()
    world.worker.result(order, outputs=ROWS)
    world.settle()

    assert entries(world) == 1
    assert is_hit(world)


def test_a_paused_run_takes_nothing_from_the_cache(world: World) -> None:
    """Nothing new starts; after the resume it does."""
    world.submit(kept())
    worked_out(world)
    world.submit(kept())
    world.command(CommandKind.PAUSE)
    world.settle()
    assert world.state.value == "PAUSED"

    world.command(CommandKind.RESUME)
    world.settle()
    assert world.state.value == "SUCCESS"


def test_what_was_cleared_is_worked_out_again(world: World) -> None:
    """By workflow and task; the rest stays."""
    assert not is_hit(world)
    assert not is_hit(world, name="other")

    assert Cache(world.rig.engine).clear("w", "only") == 1

    assert is_hit(world, name="other")
    assert not is_hit(world)


def test_a_rerun_takes_from_the_cache_as_well(world: World) -> None:
    """Who wants it worked out again clears the cache."""
    world.submit(kept())
    worked_out(world)
    world.command(CommandKind.RERUN, run_count=1)
    world.settle()

    assert world.state is WorkflowState.SUCCESS
    assert world.attempt("only").reason == f"from cache of run {world.run}"
