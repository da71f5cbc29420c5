"""Which branch a switch takes."""

import pytest

from orchestrator.core.status import WorkflowState
from orchestrator.master.judge import NO_CASE
from tests.world import World, a_task

BRANCHES = ("large", "middle", "small")


@pytest.mark.parametrize(
    ("rows", "default", "taken"),
    [(11, ["small"], "large"), (6, ["small"], "middle"), (5, ["small"], "small"), (5, None, None)],
)
def test_the_first_true_case_wins_and_else_the_default(
    world: World, rows: int, default: list[str] | None, taken: str | None
) -> None:
    """Of two cases that are true the first; without any and without a default the switch fails."""
    cases = [{"when": "rows > 10", "then": ["large"]}, {"when": "rows > 5", "then": ["middle"]}]
    spec = {"cases": cases, **({"default": default} if default else {})}
    world.submit(
        a_task("count"),
        a_task("route", "count", type="switch", spec=spec),
        *(a_task(name, "route") for name in BRANCHES),
    )
    world.worker.result(world.started(), outputs={"rows": rows})
    end = world.finish()

    states = {row.task: row.state.value for row in world.rows()}
    if taken is None:
        assert (end, states["route"]) == (WorkflowState.FAILURE, "FAILURE")
        assert world.attempt("route").reason == NO_CASE
    else:
        assert end is WorkflowState.SUCCESS
        assert [name for name in BRANCHES if states[name] == "SUCCESS"] == [taken]


def test_the_cases_of_a_switch_share_what_they_may_cost(world: World) -> None:
    """Each would be cheap enough: together they would hold the master, and end the switch instead."""
    case = {"when": "rows.filter(x, x < 0).size() > 0", "then": ["large"]}
    spec = {"cases": [case, case], "default": ["small"]}
    world.submit(
        a_task("count"),
        a_task("route", "count", type="switch", spec=spec),
        *(a_task(name, "route") for name in BRANCHES),
    )

    world.worker.result(world.started(), outputs={"rows": list(range(900))})

    assert world.finish() is WorkflowState.FAILURE
    assert "with the cases before it would take too long" in (world.attempt("route").reason or "")
