"""`explain` beside a real master: the causes follow what happens to a run, from its START to its end."""

from collections.abc import Iterator
from typing import Any

import fakeredis
import pytest

from orchestrator.broker.presence import WorkerBeat
from orchestrator.config import load_settings
from orchestrator.core.command import CommandKind
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.core.event import RejectReason
from orchestrator.core.status import TaskState
from orchestrator.service.backend import Backend
from orchestrator.service.explanation import explain
from tests.world import World, a_task

SWITCH: dict[str, Any] = {
    "type": "switch",
    "spec": {"cases": [{"when": "1 > 2", "then": ["b"]}], "default": ["c"]},
}


@pytest.fixture
def world() -> World:
    """A world whose database goes by the simulated clock."""
    return World(lease_s=60.0)


@pytest.fixture
def backend(world: World) -> Iterator[Backend]:
    """Services on the world's database and heartbeats, with a Redis for what else there is."""
    backend = Backend(load_settings({"ORCHESTRATOR_LOST_SECONDS": "10"}))  # the master waits longer
    vars(backend).update(engine=world.rig.engine, redis=fakeredis.FakeRedis(), presence=world.rig.beats)
    yield backend
    backend.redis.close()


def told(backend: Backend, world: World, task: str | None = None) -> list[str]:
    """Return what is said, as `task kind`."""
    causes = explain(backend, world.run, task)
    return [f"{cause.task or 'run'} {cause.kind}" for cause in causes]


def test_causes_follow_a_task_from_the_broker_to_its_end(world: World, backend: Backend) -> None:
    """Submitted, in the broker, with its worker, waiting for its retry, failed; and what waits behind it."""
    world.submit(a_task("a", retries=1, retry_delay_s=30.0), a_task("b", "a"))
    submitted = told(backend, world)
    world.settle()
    dispatched = told(backend, world)
    order = world.started()
    running = told(backend, world, "b")
    world.worker.result(order, TaskState.FAILURE, reason="exit code 3")
    world.settle()
    retry = explain(backend, world.run, "a")[0]
    world.pass_time(40)
    world.worker.result(world.started(), TaskState.FAILURE, reason="exit code 4")
    world.settle()

    assert submitted == ["run command_waits", "a ready", "b upstream"]
    assert dispatched == ["a broker", "b upstream"]
    assert running == ["a running", "b upstream"]
    assert retry.detail == "failed (exit code 3); it waits for its retry 1 of 1"
    assert retry.until is not None
    assert told(backend, world) == ["a failed", "b not_run", "run ended"]
    assert "a (FAILURE: exit code 4)" in explain(backend, world.run, "b")[0].detail


def test_group_that_only_a_draining_worker_serves_names_it(world: World, backend: Backend) -> None:
    """The worker gave it back, and nobody else is there."""
    world.submit(a_task("a"))
    world.settle()
    world.worker.reject(world.taken(), RejectReason.DRAINING)
    world.worker.silent = True
    world.rig.beats.beat(
        WorkerBeat(name="w1@rig", incarnation="w1-1", groups=("default",), capacity=1, state="draining")
    )
    world.settle()

    unserved, rejected = explain(backend, world.run, "a")[:2]

    assert unserved.detail.endswith("; draining: w1@rig")
    assert rejected.detail == "was given back by w1@rig (draining); it waits"
    assert unserved.remedy == rejected.remedy == "orchestrator workers resume w1@rig"


def test_paused_run_names_the_pause_and_what_it_holds(world: World, backend: Backend) -> None:
    """What was in the broker was recalled."""
    world.submit(a_task("a"))
    world.settle()
    world.command(CommandKind.PAUSE)
    world.settle()

    assert told(backend, world) == ["run paused", "a held"]


def test_child_that_somebody_pauses_is_named_by_its_parent(world: World, backend: Backend) -> None:
    """With the command that lets that one go; what the parent pauses itself is resumed with it."""
    world.rig.deploy(WorkflowDefinition(name="kid", tasks=(a_task("x"),)))
    world.submit(a_task("sub", type="sub_workflow", spec={"workflow": "kid"}))
    world.settle()
    child = world.attempt("sub").child
    world.command(CommandKind.PAUSE, child)
    world.settle()
    by_hand = explain(backend, world.run)[0]
    world.command(CommandKind.PAUSE)
    world.settle()

    assert by_hand.detail.endswith(
        f"run {child} of 'kid', which is PAUSED: somebody has paused that very run"
    )
    assert by_hand.remedy == f"orchestrator runs resume {child}"
    assert told(backend, world) == ["run paused", "sub held"]
    assert explain(backend, world.run, "sub")[-1].remedy == f"orchestrator runs resume {world.run}"


def test_silent_worker_is_named_until_its_task_is_replaced(world: World, backend: Backend) -> None:
    """Since when it was last heard of."""
    world.submit(a_task("a"))
    world.started()
    world.worker.silent = True
    seen = world.rig.clock.now()
    world.pass_time(11)

    cause = explain(backend, world.run, "a")[0]

    assert (str(cause.kind), cause.since) == ("worker_lost", seen)


def test_branch_that_a_switch_did_not_take_says_what_it_chose(world: World, backend: Backend) -> None:
    """The choice is read off the committed row."""
    world.submit(a_task("a", **SWITCH), a_task("b", "a"), a_task("c", "a"))
    world.settle()

    (cause,) = explain(backend, world.run, "b")

    assert cause.detail == "was skipped: a chose c"


def test_approval_is_explained_by_the_signal_that_is_missing(world: World, backend: Backend) -> None:
    """And with its command."""
    world.submit(a_task("ok", type="approval"), a_task("b", "ok"))
    world.settle()

    causes = explain(backend, world.run, "b")

    assert causes[0].remedy == f"orchestrator runs signal {world.run} ok"
    assert [str(cause.kind) for cause in causes] == ["signal", "upstream"]


def test_dead_master_is_why_nothing_goes_on(world: World, backend: Backend) -> None:
    """Its lease ran out and nobody has taken it."""
    world.submit(a_task("a"))
    world.settle()
    world.rig.clock.advance(61)

    assert told(backend, world)[0] == "run no_master"
