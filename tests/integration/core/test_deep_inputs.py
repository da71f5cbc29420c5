"""What a chain of 20,000 tasks costs where outputs are looked up."""

from orchestrator.core.outputs import OutputIndex
from tests.unit.core.test_inputs import by_task, ended, graph_of


def test_tasks_that_add_nothing_share_one_map() -> None:
    """A long chain costs one small map, and no recursion."""
    names = [f"t{index}" for index in range(20_000)]
    graph = graph_of(**{name: names[index - 1] if index else "" for index, name in enumerate(names)})
    attempts = by_task(
        ended("t0", 0, x=1), *(ended(name, index) for index, name in enumerate(names) if index)
    )
    index = OutputIndex(graph)

    assert index.sources(names[-1], attempts) == {"x": "t0"}
    assert len({id(seen) for seen in index._settled.values()}) == 1
