"""Graphs of 20,000 tasks in a row: neither depth of the stack nor memory stands in the way."""

from orchestrator.core.dag import ancestors, compile_graph
from orchestrator.core.definition import TaskDefinition, WorkflowDefinition


def test_deep_chain_compiles_without_recursion() -> None:
    """Depth costs no stack: neither for compiling nor for walking."""
    tasks = tuple(
        TaskDefinition(name=str(index), type="noop", needs=(str(index - 1),) if index else ())
        for index in range(20_000)
    )

    graph = compile_graph(WorkflowDefinition(name="w", tasks=tasks))

    assert len(ancestors(graph, "19999")) == 19_999
