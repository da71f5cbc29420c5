"""The oracle's rules, each with a small plan in which a broken product is noticed, and a whole one is not."""

from collections.abc import Sequence
from contextlib import ExitStack

import pytest

from orchestrator.core.definition import TaskDefinition, WorkflowDefinition
from tests.simulation.database import Database
from tests.simulation.mutant_patch import Mutant, mutated
from tests.simulation.mutant_survivors import SURVIVORS
from tests.simulation.mutants import MUTANTS
from tests.simulation.plan import Plan, PlannedFault, PlannedRun, PlannedWorker, Script
from tests.simulation.simulation import examine
from tests.simulation.story import quiet

BY_NAME = {one.name: one for one in (*MUTANTS, *SURVIVORS)}

STOP_KILLS_NOBODY = Mutant(
    name="stop-kills-nobody",
    breaks="nobody is asked to end what is over",
    target="orchestrator.master.messenger:Messenger.kill",
    old="self._kills[what.id] = what",
    new="pass",
    caught_by=None,
)

LOST_AT_ONCE = Mutant(
    name="lost-at-once",
    breaks="five seconds of silence are held against a worker",
    target="orchestrator.master.membership:Membership.is_silent",
    old="> self._lost_s",
    new="> 5.0",
    caught_by=None,
)

ACCUSED_AT_ONCE = Mutant(
    name="accused-at-once",
    breaks="five seconds of silence are a loss",
    target="orchestrator.master.reaper:Reaper._silent_since",
    old="seen + self._lost_s",
    new="seen + 5.0",
    caught_by=None,
)


@pytest.fixture(scope="module")
def database() -> Database:
    """The engine that all simulations of this module share."""
    quiet()
    return Database()


def plan(faults: Sequence[PlannedFault], script: Script, *, workers: int = 1, **task: float) -> Plan:
    """Return a run of one task."""
    definition = WorkflowDefinition(
        name="one",
        tasks=(TaskDefinition(name="a", type="noop", **task),),  # type: ignore[arg-type]  # numbers
    )
    return Plan(
        seed=1,
        runs=(PlannedRun(definition=definition, scripts={"a": script}),),
        workers=tuple(PlannedWorker(name=f"w{number}", capacity=1) for number in range(workers)),
        faults=tuple(faults),
    )


def said(database: Database, plan: Plan, *mutants: Mutant) -> str:
    """Return what the oracle says of a plan, under mutants."""
    with ExitStack() as stack:
        for one in mutants:
            stack.enter_context(mutated(one))
        return "\n".join(examine(plan, database, patience_s=300.0).violations)


FROZEN = plan(
    [PlannedFault(at_s=5.0, kind="worker_frozen", seconds=30.0, pick=pick) for pick in (0.0, 0.0)],
    Script(takes_s=100.0),
    workers=2,
)
"""Both workers are frozen, one after the other, for longer than the loss limit."""

BRIEFLY = plan([PlannedFault(at_s=20.0, kind="worker_frozen", seconds=10.0)], Script(takes_s=40.0))

SPOOLED = plan([PlannedFault(at_s=0.0, kind="worker_dies_after_spool")], Script(takes_s=2.0))

RETRIED = plan([], Script(failures=2), retries=2, retry_delay_s=4.0, retry_backoff=2.0)
DELAYED = plan([], Script(), delay_s=3.0)
DEFERRED = plan([], Script(deferrals=2, defer_s=3.0))
CUT = plan([PlannedFault(at_s=1.0, kind="event_truncated", pick=0.5)], Script(takes_s=3.0))


@pytest.mark.parametrize(
    ("one", "mutants", "saying"),
    [
        (FROZEN, (BY_NAME["stale-ends-nothing"], STOP_KILLS_NOBODY), "overlap"),
        (BRIEFLY, (LOST_AT_ONCE, ACCUSED_AT_ONCE), "is LOST"),
        (SPOOLED, (BY_NAME["inherited-spool-thrown-away"],), "is LOST"),
        (RETRIED, (BY_NAME["no-retry-delay"],), "before its time"),
        (DELAYED, (BY_NAME["no-delay"],), "before its time"),
        (DEFERRED, (BY_NAME["no-deferral-time"],), "after a deferral"),
        (CUT, (BY_NAME["bury-keeps-nothing"],), "no dead letter"),
    ],
    ids=["zombie goes on", "lost too early", "spool forgotten", "retry", "delay", "deferral", "dead letter"],
)
def test_what_a_broken_product_does_is_seen_where_it_matters(
    database: Database, one: Plan, mutants: Sequence[Mutant], saying: str
) -> None:
    """The same plan is in order with the product as it is."""
    assert said(database, one) == ""
    assert saying in said(database, one, *mutants)
