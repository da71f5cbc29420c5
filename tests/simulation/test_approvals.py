"""Tests of the simulated approvals: what is drawn, and that slips in deciding them are noticed."""

from itertools import islice

import pytest

from tests.simulation import workload
from tests.simulation.database import Database
from tests.simulation.mutant_patch import Mutant, mutated
from tests.simulation.plan import Plan
from tests.simulation.simulation import examine
from tests.simulation.story import quiet
from tests.simulation.workload_approvals import APPROVAL

MOST = 20
"""So many plans with approvals are tried on a mutant."""

MUTANTS = (
    Mutant(
        name="signal-is-made-up",
        breaks="an approval has other data than its signal",
        target="orchestrator.core.handlers.logic:handle_signal",
        old="outputs=checked(task, outputs)",
        new='outputs={"value": "made up"}',
        caught_by=None,
    ),
    Mutant(
        name="silence-is-consent",
        breaks="an approval without default succeeds when time is up",
        target="orchestrator.core.handlers.logic:approval_timeout",
        old="TaskState.FAILURE",
        new="TaskState.SUCCESS",
        caught_by=None,
    ),
    Mutant(
        name="signal-is-lost",
        breaks="a signal is taken and changes nothing",
        target="orchestrator.core.handlers.logic:handle_signal",
        old="if attempt is None or",
        new="if True or",
        caught_by=None,
    ),
)


def plans_with_approvals() -> list[Plan]:
    """Return some plans in which a task waits for a person."""
    drawn = (plan for plan in map(workload.draw, range(1, 2_000)) if _approvals(plan))
    return list(islice(drawn, MOST))


def _approvals(plan: Plan) -> list[float | None]:
    """Return the time limit of each approval."""
    return [task.timeout_s for run in plan.runs for task in run.definition.tasks if task.type == APPROVAL]


def test_approvals_are_drawn_with_and_without_a_time_limit() -> None:
    """Some wait for ever, some are given up."""
    limits = [limit_s for plan in plans_with_approvals() for limit_s in _approvals(plan)]

    assert None in limits
    assert any(limits)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_slip_in_deciding_is_noticed(mutant: Mutant) -> None:
    """One of some plans with approvals has something to say against each mutant."""
    quiet()

    with mutated(mutant):
        noticed = any(
            examine(plan, Database(), patience_s=120.0).violations for plan in plans_with_approvals()
        )

    assert noticed
