"""From the end of a run to its targets: who gets what, and what a crash at each place repeats."""

from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from orchestrator.alerting.delivery import Delivery, Undelivered
from orchestrator.core.alerting import Channel, Target
from orchestrator.core.status import TaskState
from orchestrator.crash import observe
from orchestrator.master.alerts import parked
from orchestrator.master.announcer import Announcer
from orchestrator.master.deliveries import Deliveries
from orchestrator.master.speech import Speech
from orchestrator.store.outbox import Outbox
from orchestrator.store.schema import outbox
from orchestrator.store.session import writing
from tests.world import Killed, World, a_task

SLOTS = range(64)
EVERYWHERE = (Target(channel=Channel.COMMAND, address="pager"),)


class Receivers:
    """Everybody who is told; some do not answer."""

    def __init__(self, *dead: str) -> None:
        self.dead = set(dead)
        self.got: list[tuple[str, str]] = []

    def carry(self, delivery: Delivery) -> None:
        """Take an alert, or not."""
        if delivery.target.address in self.dead:
            raise Undelivered("HTTP 503")
        self.got.append((str(delivery.target), delivery.key))


def speech(world: World, receivers: Receivers, everywhere: Sequence[Target] = ()) -> Speech:
    """Return what tells alerts in a new master."""
    table = Outbox(world.rig.engine)
    clock: Callable[[], float] = lambda: 0.0  # noqa: E731  a clock that stands still
    return Speech(
        announcer=Announcer(table, SLOTS, world.rig.master.bulletin, everywhere),
        deliveries=Deliveries(table, SLOTS, receivers.carry, clock, clock),
    )


def failed(world: World, *rules: dict[str, object], state: TaskState = TaskState.FAILURE) -> int:
    """Let a run with these rules end; return its id."""
    run = world.submit(a_task("only"), alerts=rules)
    world.worker.result(world.started(), state)
    world.settle()
    return run


def test_each_target_hears_of_its_events_only(world: World) -> None:
    """Once each; a second look tells nothing."""
    receivers = Receivers()
    run = failed(
        world,
        {"webhook": "ops", "events": ["workflow_failure"]},
        {"email": "a@b.c", "events": ["task_failure", "workflow_failure"]},
        {"webhook": "happy", "events": ["workflow_success"]},
    )

    for _ in range(2):
        speech(world, receivers, EVERYWHERE).last_words()

    assert sorted(receivers.got) == [
        ("email:a@b.c", f"task_failure:{run}:1:only:1"),
        ("email:a@b.c", f"workflow_failure:{run}:1:"),
        ("webhook:ops", f"workflow_failure:{run}:1:"),
    ]


def test_a_success_is_told_to_those_who_ask(world: World) -> None:
    """In the log it is no error."""
    receivers = Receivers()
    run = failed(world, {"webhook": "ops", "events": ["workflow_success"]}, state=TaskState.SUCCESS)

    with capture_logs() as logs:
        speech(world, receivers).last_words()

    assert receivers.got == [("webhook:ops", f"workflow_success:{run}:1:")]
    assert [line["log_level"] for line in logs if line["event"] == "alert.workflow_success"] == ["info"]


def test_what_concerns_the_deployment_goes_to_its_targets_too(world: World) -> None:
    """A buried event has no workflow; a parked run has one, whose own rules count besides."""
    receivers = Receivers()
    run = failed(world, {"webhook": "ops", "events": ["parked"]})
    world.add(b"nonsense")
    world.settle()
    world.rig.master.bulletin.add(parked(run, run % 64, 5, error="no", tries=5))

    speech(world, receivers, EVERYWHERE).last_words()

    told = sorted((target, key.partition(":")[0]) for target, key in receivers.got)
    assert told == [("command:pager", "buried"), ("command:pager", "parked"), ("webhook:ops", "parked")]


def test_a_dead_target_does_not_repeat_the_others(world: World) -> None:
    """It is tried again by itself when its time has come, also by another master."""
    receivers = Receivers("dead")
    run = failed(
        world,
        {"webhook": "dead", "events": ["workflow_failure"]},
        {"webhook": "ops", "events": ["workflow_failure"]},
    )
    speech(world, receivers).last_words()
    assert receivers.got == [("webhook:ops", f"workflow_failure:{run}:1:")]

    receivers.dead.clear()
    with writing(world.rig.engine) as connection:  # the time has come
        connection.execute(update(outbox).values(due_at=outbox.c.created_at))
    speech(world, receivers).last_words()

    assert receivers.got[1:] == [("webhook:dead", f"workflow_failure:{run}:1:")]


def test_a_master_killed_between_telling_and_noting_repeats_the_log_line_only(world: World) -> None:
    """Nothing was delivered yet: each target gets it once."""
    receivers = Receivers()
    failed(world, {"webhook": "ops", "events": ["workflow_failure"]})

    with killed_at("alerts.after_told"), pytest.raises(Killed):
        speech(world, receivers).last_words()
    speech(world, receivers).last_words()

    assert len(receivers.got) == 1


class killed_at:  # noqa: N801  reads as a statement
    """The master dies when it reaches this point."""

    def __init__(self, point: str) -> None:
        self._point = point

    def __enter__(self) -> None:
        """Arm the point."""
        observe(self._reached)

    def __exit__(self, *_: object) -> None:
        """Disarm it."""
        observe(None)

    def _reached(self, point: str) -> None:
        if point == self._point:
            raise Killed
