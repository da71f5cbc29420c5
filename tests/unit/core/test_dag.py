"""The compiled graph."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.dag import Graph, ancestors, compile_graph, descendants, find_cycle
from orchestrator.core.definition import TaskDefinition, WorkflowDefinition
from orchestrator.errors import DefinitionError


def graph_of(*, disabled: frozenset[str] = frozenset(), **needs: str) -> Graph:
    """Compile tasks written as `name="upstream upstream"`."""
    return compile_graph(definition_of(disabled=disabled, **needs))


def definition_of(*, disabled: frozenset[str] = frozenset(), **needs: str) -> WorkflowDefinition:
    """Define no-ops written as `name="upstream upstream"`."""
    tasks = (
        TaskDefinition(name=name, type="noop", needs=tuple(one.split()), disabled=name in disabled)
        for name, one in needs.items()
    )
    return WorkflowDefinition(name="w", tasks=tuple(tasks))


def test_diamond_knows_neighbours_roots_and_leaves() -> None:
    """Upstream, downstream, roots and leaves of a diamond."""
    graph = graph_of(a="", b="a", c="a", d="b c")

    assert graph.upstream["d"] == ("b", "c")
    assert set(graph.downstream["a"]) == {"b", "c"}
    assert (graph.roots, graph.leaves) == (("a",), ("d",))
    assert graph.position["a"] < graph.position["b"] < graph.position["d"]
    assert ancestors(graph, "d") == {"a", "b", "c"}
    assert descendants(graph, "a") == {"b", "c", "d"}


def test_disabled_tasks_are_wires() -> None:
    """What needs a disabled task needs that task's upstreams, through any number of disabled ones."""
    graph = graph_of(a="", b="a", c="b", d="c a", disabled=frozenset({"b", "c"}))

    assert set(graph.tasks) == {"a", "d"}
    assert graph.upstream["d"] == ("a",)
    assert graph.downstream["a"] == ("d",)


def test_task_behind_disabled_roots_becomes_a_root() -> None:
    """A disabled root leaves nothing to wait for."""
    assert graph_of(a="", b="a", disabled=frozenset({"a"})).roots == ("b",)


def test_all_disabled_is_an_empty_graph() -> None:
    """A workflow of disabled tasks only has nothing to run."""
    assert graph_of(a="", disabled=frozenset({"a"})).order == ()


def test_cycle_is_printed() -> None:
    """A cycle is refused with its path."""
    with pytest.raises(DefinitionError, match=r"cycle: \w -> \w -> \w -> \w"):
        graph_of(a="c", b="a", c="b")


def test_unknown_and_repeated_names_are_all_reported() -> None:
    """Every wrong name is a fault of its own."""
    twice = (TaskDefinition(name="a", type="noop", needs=("x", "y")), TaskDefinition(name="a", type="noop"))

    with pytest.raises(DefinitionError) as caught:
        compile_graph(WorkflowDefinition(name="w", tasks=twice))

    assert len(caught.value.faults) == 3


def test_find_cycle_answers_none_for_a_dag() -> None:
    """No cycle, no answer."""
    assert find_cycle({"a": [], "b": ["a"]}) is None


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14), st.booleans()), max_size=40))
def test_random_graphs_keep_every_dependency(edges: list[tuple[int, int, bool]]) -> None:
    """Order respects all edges, and wires keep exactly the reachability between the tasks that are left."""
    needs: dict[int, set[int]] = {node: set() for node in range(15)}
    for one, other, _ in edges:
        if one != other:
            needs[max(one, other)].add(min(one, other))
    disabled = frozenset(str(max(one, other)) for one, other, is_disabled in edges if is_disabled)
    written = {str(node): " ".join(map(str, sorted(ups))) for node, ups in needs.items()}
    everything, reduced = graph_of(disabled=frozenset(), **written), graph_of(disabled=disabled, **written)

    for name in reduced.order:
        assert all(reduced.position[up] < reduced.position[name] for up in reduced.upstream[name])
        assert ancestors(reduced, name) == ancestors(everything, name) - disabled
