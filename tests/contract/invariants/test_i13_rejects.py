"""I13: a reject yields exactly one new dispatch; late reports of the rejecting worker change nothing."""

import pytest

from orchestrator.core.event import RejectReason
from orchestrator.core.status import TaskState, WorkflowState
from tests.contract.invariants.cases import claimed, held
from tests.contract.invariants.faults import FAULTS, Fault, fail_once
from tests.contract.invariants.sayings import SAYINGS
from tests.world import HandWorker, World


@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("reason", RejectReason, ids=str)
def test_a_reject_yields_one_new_dispatch(world: World, reason: RejectReason, copies: int) -> None:
    """However often it comes: dispatch 2 goes out once, after a back-off, to a worker that has not refused.

    Teeth: fails without the look at TASK_HANDED_OVER and tokens: with `**next_dispatch(…)` removed it loops.
    """
    claimed(world)
    other = HandWorker(world.rig, "w2@rig", "w2-1")
    other.beat(world.rig.beats)
    world.settle()
    order = held(world)

    for _ in range(copies):
        world.worker.reject(order, reason, "ImportError: no module")
    world.settle()
    assert world.attempt("first").state is TaskState.SUBMITTED
    other.beat(world.rig.beats)
    world.pass_time(2)

    assert world.broker.published == [f"{world.run}:first:1:1", f"{world.run}:first:1:2"]
    assert world.attempt("first").rejected_by == (f"w1@rig {reason}",)
    again = other.take()
    assert again is not None
    assert again.queue == "w2@rig.dq2"


@pytest.mark.parametrize("saying", SAYINGS)
def test_a_late_report_of_the_worker_that_rejected_changes_nothing(world: World, saying: str) -> None:
    """It gave the hand-over back: whatever it still says about it is stale."""
    claimed(world)
    before = world.attempt("first")
    world.worker.reject(held(world), RejectReason.DRAINING)
    world.settle()
    world.pass_time(2)
    rows = world.database()

    entry = SAYINGS[saying](world, before)
    world.settle()

    assert world.database() == rows
    assert entry is None or world.verdict(entry) == "stale"


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if not fault.loses_lease], ids=str)
def test_a_reject_whose_commit_fails_first_yields_one_new_dispatch(world: World, fault: Fault) -> None:
    """The undone try left no trace: one new dispatch, one refusal in the row."""
    claimed(world)
    world.worker.reject(held(world), RejectReason.OVERLOAD)
    world.read()

    with fault.during(world):
        fail_once(world, fault)
    world.pass_time(3)

    assert world.broker.published == [f"{world.run}:first:1:1", f"{world.run}:first:1:2"]
    assert world.attempt("first").rejected_by == ("w1@rig overload",)


def test_what_every_live_worker_refuses_as_unknown_ends_with_the_import_error(world: World) -> None:
    """The second of two workers does not know the callable either: FAILURE, with what it said."""
    claimed(world)
    other = HandWorker(world.rig, "w2@rig", "w2-1")
    other.beat(world.rig.beats)
    world.settle()
    world.worker.reject(held(world), RejectReason.UNKNOWN_CALLABLE, "No module named 'x'")
    world.settle()
    other.beat(world.rig.beats)
    world.pass_time(2)
    order = other.take()
    assert order is not None

    other.reject(order, RejectReason.UNKNOWN_CALLABLE, "No module named 'y'")
    world.settle()

    assert world.state is WorkflowState.FAILURE
    assert (world.attempt("first").state, world.attempt("first").reason) == (
        TaskState.FAILURE,
        "No module named 'y'",
    )


def test_what_no_living_worker_has_the_files_of_fails_with_the_place(world: World) -> None:
    """A bundle is asked of the next worker; when the last one lacks it the run ends, and says where they look.

    Teeth: fails without UNKNOWN_BUNDLE in `UNKNOWN`: it is then dispatched for ever.
    """
    claimed(world)
    detail = "bundle 'tools': no directory tools, tools.zip or tools.tar.gz in /srv/bundles"
    world.worker.reject(held(world), RejectReason.UNKNOWN_BUNDLE, detail)
    world.settle()

    attempt = world.attempt("first")
    assert (attempt.state, attempt.reason) == (TaskState.FAILURE, detail)
