"""Maps in a whole master: what elements are given, what is behind them sees, and why a map can have none."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from orchestrator.core.definition import ParameterDefinition, TaskDefinition, WorkflowDefinition
from orchestrator.core.order import Order
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.master.ingredients import Limits
from orchestrator.store import schema
from orchestrator.store.queries import Queries
from orchestrator.store.session import writing
from tests.world import World, a_task


def a_map(*needs: str, **fields: Any) -> TaskDefinition:
    """Return a task that runs once for each element."""
    return a_task("load", *needs, **{"map_over": [10, 20], **fields})


def orders(world: World) -> dict[str, Order]:
    """Return what is dispatched, by task."""
    world.settle()
    return world.worker.take_all()


def ended(world: World, given: dict[str, dict[str, Any]]) -> None:
    """Let these tasks succeed with these outputs."""
    for task, order in orders(world).items():
        world.worker.result(order, outputs=given[task])
    world.settle()


def document(world: World) -> dict[str, Any]:
    """Return the document of the run."""
    return Queries(world.rig.engine).run(world.run)


def test_element_and_its_index_are_parameters(world: World) -> None:
    """They count more than anything but the task's own params, which may use them."""
    params = {"shop": "${item.name}", "number": "${map_index}", "plain": 1}
    items = [{"name": "north"}, {"name": "south"}]
    world.submit(
        a_map(type="shell", spec={"run": "x"}, map_over=items, params=params),
        params={"item": ParameterDefinition(default="of the workflow")},
    )
    found = orders(world)

    assert found["load[1]"].params == {"shop": "south", "number": 1, "plain": 1}
    assert found["load[0]"].parameters["item"] == {"name": "north"}
    assert found["load[1]"].parameters["map_index"] == 1
    assert found["load[1]"].parameters["task_name"] == "load[1]"
    assert found["load[1]"].idempotency_key == f"{world.run}:load[1]:1"


def test_element_can_have_another_name(world: World) -> None:
    """`map_as`; the usual name is then free."""
    world.submit(a_map(type="shell", spec={"run": "x"}, map_as="shop", params={"x": "${shop}"}))

    order = orders(world)["load[1]"]
    assert (order.params, "item" in order.parameters) == ({"x": 20}, False)


@pytest.mark.parametrize(
    ("params", "given"),
    [
        ({}, {"item": 10}),
        ({"factor": 2}, {"item": 10, "factor": 2}),
        ({"x": "${item}"}, {"x": 10}),
        ({"x": "${map_index}"}, {"x": 0}),
    ],
)
def test_python_task_gets_the_element_as_an_argument(
    world: World, params: dict[str, Any], given: dict[str, Any]
) -> None:
    """By its own name, unless the params say which argument it is."""
    world.submit(a_map(type="python", spec={"call": "m:f"}, params=params))

    assert orders(world)["load[0]"].params == given


def test_list_comes_from_an_upstream(world: World) -> None:
    """Looked at when the map is reached; the elements see the upstream's other outputs, too."""
    world.submit(a_task("first"), a_map("first", map_over="${first.shops}", params={"day": "${first.day}"}))
    ended(world, {"first": {"shops": ["a", "b", "c"], "day": "monday"}})
    found = orders(world)

    assert sorted(found) == ["load[0]", "load[1]", "load[2]"]
    assert found["load[2]"].params == {"day": "monday"}


def test_outputs_of_the_elements_are_lists_in_their_order(world: World) -> None:
    """Whoever ends first; a name that an element did not give is null for it, `.*` is the list of the whole."""
    params = {"rows": "${load.rows}", "all": "${load.*}", "first": "${load.result.0.rows}"}
    world.submit(a_map(), a_task("behind", "load", params=params))
    found = orders(world)
    world.worker.result(found["load[1]"], outputs={"rows": 2, "more": "x"})
    world.settle()
    world.worker.result(found["load[0]"], outputs={"rows": 1})

    behind = orders(world)["behind"]
    assert behind.params == {"rows": [1, 2], "all": [{"rows": 1}, {"rows": 2, "more": "x"}], "first": 1}
    world.worker.result(behind)
    world.settle()
    group = document(world)["tasks"][0]
    assert (group["name"], group["type"], group["state"]) == ("load", "map", "SUCCESS")
    assert group["outputs"]["more"] == [None, "x"]


def test_big_outputs_of_elements_are_fetched(world: World) -> None:
    """Memory does not keep them; the map's are stored like any other's."""
    world.submit(a_map(), a_task("behind", "load", params={"all": "${load.*}"}))
    ended(world, {f"load[{index}]": {"result": str(index) * 3000} for index in range(2)})

    assert orders(world)["behind"].params == {"all": ["0" * 3000, "1" * 3000]}


def test_outputs_of_a_run_whose_leaf_is_a_map_are_the_lists(world: World) -> None:
    """The elements' own outputs are not the run's."""
    world.submit(a_map(), outputs={"all": "${load.*}", "n": "${n}"})
    ended(world, {"load[0]": {"n": 1}, "load[1]": {"n": 2}})
    assert document(world)["outputs"] == {"all": [{"n": 1}, {"n": 2}], "n": [1, 2]}

    world.submit(a_map())
    ended(world, {"load[0]": {"n": 1}, "load[1]": {"n": 2}})
    assert document(world)["outputs"] == {"n": [1, 2], "result": [{"n": 1}, {"n": 2}]}


def test_empty_list_succeeds_at_once(world: World) -> None:
    """What is behind it sees empty lists."""
    params = {"all": "${load.*}", "rows": "${load.rows}"}
    world.submit(a_map(map_over=[], outputs={"rows": "integer"}), a_task("behind", "load", params=params))

    assert orders(world)["behind"].params == {"all": [], "rows": []}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (7, "map: needs a list, not integer"),
        ({"a": 1}, "map: needs a list, not map"),
        ("[1, 2]", "map: needs a list, not string; declare the output or parameter it comes from as list"),
        (None, "map: needs a list, not nothing"),
        (list(range(100_000)), "map: the list has 100000 elements, at most 1000 (ORCHESTRATOR_MAP_LIMIT)"),
    ],
    ids=["number", "map", "text", "nothing", "too long"],
)
def test_what_is_no_list_fails_the_map(world: World, value: Any, reason: str) -> None:
    """Also one with more elements than a master takes upon itself; none begins."""
    definition = WorkflowDefinition(
        name="w", tasks=(a_map(map_over="${items}"),), params={"items": ParameterDefinition(default=value)}
    )
    world.run = world.rig.submit(definition)
    world.settle()

    assert world.state is WorkflowState.FAILURE
    assert (world.attempt("load").reason, len(document(world)["tasks"])) == (reason, 1)


def test_limit_is_a_setting(memory_engine: Any) -> None:
    """Somebody may want less, or more."""
    world = World(memory_engine, limits=Limits(memory=1.0, map_elements=1))
    world.submit(a_map())
    world.settle()

    assert world.attempt("load").reason == "map: the list has 2 elements, at most 1 (ORCHESTRATOR_MAP_LIMIT)"


def test_unknown_reference_fails_the_map(world: World) -> None:
    """With its name."""
    world.submit(a_map(map_over="${nowhere.list}"))
    world.settle()

    assert world.attempt("load").reason == "map: ${nowhere.list} has no value"


def test_outputs_that_are_too_big_together_fail_the_map(world: World) -> None:
    """No task behind it could get them."""
    world.submit(a_map(map_over=list(range(20))))
    for _ in range(20):
        ended(world, {f"load[{index}]": {"text": "x" * 60_000} for index in range(20)})

    assert world.state is WorkflowState.FAILURE
    assert world.attempt("load").reason == "outputs of its elements: 2400382 bytes in all, at most 1048576"


def test_list_that_changed_under_its_elements_fails_them(world: World) -> None:
    """A person gave the run other parameters while the map was as it was: its indices would mean others."""
    world.submit(
        a_map(type="shell", spec={"run": "x"}, map_over="${items}", max_parallel=1),
        params={"items": ParameterDefinition(default=[1, 2])},
    )
    order = orders(world)["load[0]"]
    with writing(world.rig.engine) as connection:
        connection.execute(update(schema.workflow_instance).values(params={"items": [1, 2, 3]}))
    world.restart_master()
    world.worker.result(order)
    world.settle()

    assert world.attempt("load[1]").reason == "map: the list has 3 elements now, not 2; rerun the whole map"


def test_each_element_has_a_child_of_its_own(busy_world: World) -> None:
    """The element is a start parameter where the child declares one of its name, or as the params say."""
    declared = {"item": ParameterDefinition(), "n": ParameterDefinition()}
    world = busy_world
    kid = WorkflowDefinition(name="kid", tasks=(a_task("x"),), params=declared, outputs={"seen": "${item}"})
    world.rig.deploy(kid)
    world.submit(a_map(type="sub_workflow", spec={"workflow": "kid"}, params={"n": "${map_index}"}))
    world.rig.run(world.run)

    runs = [Queries(world.rig.engine).run(one["id"]) for one in Queries(world.rig.engine).runs()]
    children = {one["id"]: one["params"] for one in runs if one["parent"] is not None}
    assert sorted(children.values(), key=str) == [{"item": 10, "n": 0}, {"item": 20, "n": 1}]
    assert world.state is WorkflowState.SUCCESS
    assert document(world)["outputs"] == {"seen": [10, 20], "result": [{"seen": 10}, {"seen": 20}]}


def test_check_and_cache_belong_to_the_elements(world: World) -> None:
    """A false check fails one element, and with it the map."""
    world.submit(a_map(check={"expression": "${rows} > item"}))
    ended(world, {"load[0]": {"rows": 11}, "load[1]": {"rows": 11}})

    assert (world.attempt("load[0]").state, world.attempt("load[1]").state) == (
        TaskState.SUCCESS,
        TaskState.FAILURE,
    )
    assert world.attempt("load").reason == "1 of 2 elements failed: load[1]"


def test_report_about_an_element_that_never_was_is_dropped(world: World) -> None:
    """It is nobody's: neither parked nor waited for."""
    world.submit(a_map())
    found = orders(world)
    world.worker.result(replace(found["load[0]"], task="load[77]"))
    world.settle()
    for order in found.values():
        world.worker.result(order)

    assert world.finish() is WorkflowState.SUCCESS
