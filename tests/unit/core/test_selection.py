"""Start nodes and dry runs: which tasks a run has, and that a dry one executes none."""

import pytest

from orchestrator.core.dag import compile_graph, select_tasks
from orchestrator.core.definition import TaskDefinition, WorkflowDefinition
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.testing.rig import Rig

DIAMOND = WorkflowDefinition(
    name="diamond",
    tasks=(
        TaskDefinition(name="a", type="noop"),
        TaskDefinition(name="b", type="noop", needs=("a",)),
        TaskDefinition(name="c", type="noop", needs=("a",), delay_s=60.0),
        TaskDefinition(name="d", type="noop", needs=("b", "c")),
    ),
)


@pytest.mark.parametrize(
    ("depends", "expected"),
    [("only", {"b"}), ("upstream", {"a", "b"}), ("downstream", {"b", "d"})],
)
def test_start_nodes_choose_the_tasks_of_a_run(depends: str, expected: set[str]) -> None:
    """`only` the node, what it needs, or what needs it; needs outside the selection count as done."""
    graph = compile_graph(select_tasks(DIAMOND, ["b"], depends))

    assert set(graph.tasks) == expected


def test_run_from_a_start_node_ends_without_the_rest() -> None:
    """The master runs the selection and nothing else, also after a restart."""
    rig = Rig()
    run = rig.submit(DIAMOND, start_nodes=("b",))
    rig.start_master()
    rig.run(run)

    assert rig.state(run) is WorkflowState.SUCCESS
    assert [order.split(":")[1] for order in rig.worker.ran] == ["b", "d"]


def test_dry_run_walks_the_graph_and_executes_nothing() -> None:
    """Every task is SUCCESS, delays are not waited for, and no worker hears of it."""
    rig = Rig()
    run = rig.submit(DIAMOND, dry_run=True)
    rig.settle()

    assert rig.state(run) is WorkflowState.SUCCESS
    rows = rig.instances.attempts([(run, task, 1) for task in "abcd"]).values()
    assert [row.state for row in rows] == [TaskState.SUCCESS] * 4
    assert rig.broker.published == []
