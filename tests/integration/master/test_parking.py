"""R7: a failing run is parked with growing back-off; the others go on, and nothing of it is lost."""

from dataclasses import dataclass
from datetime import datetime

import pytest
from sqlalchemy import update

from orchestrator.core.changes import Changes, Leases
from orchestrator.core.command import CommandKind
from orchestrator.core.event import TaskRunning
from orchestrator.core.order import Order
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.errors import RevisionLost, StoreUnavailable
from orchestrator.master.lanes import MOST_BURIAL
from orchestrator.master.request import Wish
from orchestrator.store import schema
from orchestrator.store.session import writing
from tests.world import World, a_task


@dataclass(slots=True)
class Allergic:
    """A committer that cannot stand one run."""

    world: World
    run: int
    away_after: bool = False
    commits: int = 0
    text: str = "a bug in this run"

    def commit(self, changes: Changes, leases: Leases) -> datetime:
        """Commit, unless it is about that run."""
        self.commits += 1
        if any(one.head.id == self.run for one in changes.instances):
            raise RuntimeError(self.text)
        if self.away_after and self.commits > 1:
            raise StoreUnavailable("gone")
        return self.world.rig.commit.commit(changes, leases)


@dataclass(slots=True)
class Squeamish:
    """A committer that cannot stand a failed attempt."""

    world: World

    def commit(self, changes: Changes, leases: Leases) -> datetime:
        """Commit, unless an attempt has failed."""
        if any(row.state is TaskState.FAILURE for one in changes.instances for row in one.changed):
            raise RuntimeError("a bug in failures")
        return self.world.rig.commit.commit(changes, leases)


@dataclass(slots=True)
class Losing:
    """A committer whose guarded writes of one run never hit."""

    world: World
    run: int

    def commit(self, changes: Changes, leases: Leases) -> datetime:
        """Commit, unless it is about that run."""
        if any(one.head.id == self.run for one in changes.instances):
            raise RevisionLost([self.run])
        return self.world.rig.commit.commit(changes, leases)


@dataclass(slots=True)
class Stumbling:
    """A committer whose next commits fail for these reasons; `None`: that one does not."""

    world: World
    reasons: list[Exception | None]

    def commit(self, changes: Changes, leases: Leases) -> datetime:
        """Commit, once there is no reason left not to."""
        reason = self.reasons.pop(0) if self.reasons else None
        if reason is not None:
            raise reason
        return self.world.rig.commit.commit(changes, leases)


def several(world: World, number: int = 4) -> list[int]:
    """Return runs whose only task is in the broker."""
    runs = [world.submit(a_task("only"), name=f"w{index}") for index in range(number)]
    world.settle()
    return runs


def paused_run(world: World) -> int:
    """Return a run with a paused attempt: a RUNNING about it is poison."""
    world.submit(a_task("only", retries=1, retry_delay_s=5.0))
    world.settle()
    world.command(CommandKind.PAUSE)
    world.settle()
    return world.run


def test_a_batch_with_a_run_that_cannot_be_committed_is_tried_run_by_run(world: World) -> None:
    """Only that run is parked; the reports of the others are committed and acknowledged in the same turn.

    Teeth: fails without `_one_by_one` in `Loop._failed`.
    """
    runs = several(world)
    entries = {order.workflow_instance_id: world.worker.result(order) for order in take_all(world)}
    world.read()
    world.rig.committer = Allergic(world, runs[1])

    world.step()

    assert [world.rig.state(run) for run in runs] == ["SUCCESS", "RUNNING", "SUCCESS", "SUCCESS"]
    assert [world.verdict(entries[run]) for run in runs] == ["ok", None, "ok", "ok"]
    assert list(world.rig.master.lanes.parked) == [runs[1]]

    world.rig.committer = world.rig.commit
    world.pass_time(1)
    assert world.rig.state(runs[1]) is WorkflowState.SUCCESS
    assert world.rig.master.lanes.parked == {}
    assert world.verdict(entries[runs[1]]) == "ok"


def test_a_database_that_goes_away_in_the_middle_is_not_asked_for_every_run(world: World) -> None:
    """What was not tried yet waits with the rest: one question, then the back-off.

    Teeth: fails without the look at `wait_s` in `Loop._one_by_one`.
    """
    runs = several(world, 8)
    for order in take_all(world):
        world.worker.result(order)
    world.read()
    committer = Allergic(world, runs[0], away_after=True)
    world.rig.committer = committer

    world.step()
    assert committer.commits <= 3

    world.rig.committer = world.rig.commit
    world.pass_time(2)
    assert {world.rig.state(run) for run in runs} == {WorkflowState.SUCCESS}


def test_a_parked_run_keeps_entry_ids_only_and_tries_them_all_again(world: World) -> None:
    """What comes in while it is parked is read again, in order, once it works."""
    (run,) = several(world, 1)
    (order,) = take_all(world)
    world.rig.committer = Allergic(world, run)
    entries = [world.worker.running(order)]
    world.settle()
    entries.append(world.worker.result(order))
    world.settle()
    assert len(world.rig.master.lanes.parked[run].entries) == 2
    assert world.rig.master.lanes.get(run) is None

    world.rig.committer = world.rig.commit
    world.pass_time(2)

    assert [world.verdict(entry) for entry in entries] == ["ok", "ok"]
    assert world.state is WorkflowState.SUCCESS


def test_a_command_for_a_parked_run_waits_and_is_carried_out(world: World) -> None:
    """Its row stays; when the lane works, it is applied."""
    (run,) = several(world, 1)
    (order,) = take_all(world)
    world.rig.committer = Allergic(world, run)
    world.worker.running(order)
    world.settle()

    world.command(CommandKind.STOP)
    world.pass_time(3)
    assert world.picture()["commands"] == ["STOP"]
    world.rig.committer = world.rig.commit
    world.pass_time(10)

    assert world.picture()["commands"] == []
    assert world.state is WorkflowState.STOPPING
    assert world.broker.stops == {order.id}


def test_a_timer_that_falls_due_while_its_run_is_parked_is_not_lost(world: World) -> None:
    """The row says what it waits for; loading the run arms it again.

    Teeth: fails without the `Continue` of `Parking.retry`.
    """
    run = world.submit(a_task("only", retries=1, retry_delay_s=5.0), a_task("other"))
    world.settle()
    orders = world.worker.take_all()
    world.worker.result(orders["only"], TaskState.FAILURE)
    world.settle()
    world.rig.committer = Allergic(world, run)
    world.worker.running(orders["other"])
    world.pass_time(10)
    assert run in world.rig.master.lanes.parked

    world.rig.committer = world.rig.commit
    world.pass_time(30)

    assert [(row.attempt, row.state) for row in world.rows() if row.task == "only"] == [
        (1, TaskState.FAILURE),
        (2, TaskState.DISPATCHED),
    ]


def test_an_order_that_was_on_its_way_when_its_run_was_parked_starts_once(world: World) -> None:
    """The dispatcher's own word got lost; the order goes out again under the same id, and one claim wins."""
    run = world.submit(a_task("only"))
    world.read()
    world.step()
    world.rig.committer = Allergic(world, run)
    world.settle()
    assert run in world.rig.master.lanes.parked

    world.rig.committer = world.rig.commit
    world.pass_time(2)
    world.worker.take_all()

    assert set(world.broker.published) == {f"{run}:only:1:1"}
    assert world.worker.ran == [f"{run}:only:1:1"]
    assert world.attempt("only").state is TaskState.DISPATCHED


def test_a_person_can_have_a_parked_run_tried_at_once(world: World) -> None:
    """`events parked retry` does not wait for the back-off."""
    (run,) = several(world, 1)
    (order,) = take_all(world)
    world.rig.committer = Allergic(world, run)
    entry = world.worker.running(order)
    world.pass_time(100, tick_s=5.0)
    world.rig.committer = world.rig.commit
    world.settle()
    assert world.verdict(entry) is None

    ask(world, Wish.RETRY)

    assert world.verdict(entry) == "ok"


def test_a_person_can_bury_the_event_that_fails(world: World) -> None:
    """`events parked bury` sends the first entry to the dead letters; what stands behind it is handled."""
    run = paused_run(world)
    poison = world.say(world.attempt("only"), TaskRunning)
    world.settle()
    behind = world.say(world.attempt("only"), TaskRunning, dispatch=1)
    world.settle()
    assert run in world.rig.master.lanes.parked

    ask(world, Wish.BURY)

    assert world.verdict(poison) == "buried"
    assert [(entry.id, "PAUSED -> RUNNING" in reason) for entry, reason in world.streams.dead] == [
        (poison.id, True)
    ]
    assert world.verdict(behind) == "stale"
    assert world.rig.master.lanes.parked == {}


def test_a_person_can_bury_the_command_that_fails(world: World) -> None:
    """It moves to `error_command` with what it failed with; the run goes on without it.

    Teeth: fails (the lane stays parked) without `RefusedItem` in `Parking._bury`.
    """
    (run,) = several(world, 1)
    (order,) = take_all(world)
    world.rig.committer = Allergic(world, run)
    world.command(CommandKind.STOP)
    world.settle()
    assert world.rig.master.lanes.parked[run].command_id is not None

    ask(world, Wish.BURY)
    world.rig.committer = world.rig.commit
    world.worker.result(order)
    world.pass_time(2)

    assert world.state is WorkflowState.SUCCESS
    assert world.picture()["failed"] == ["STOP"]
    assert "a bug in this run" in world.database()["error_command"][0]["reason"]


@pytest.mark.parametrize("text", ["a zero \x00 byte", "half a \ud800 pair", "x" * 1_000_000])
def test_a_command_whose_error_no_database_can_hold_can_be_buried_too(world: World, text: str) -> None:
    """What an error says may be anything: it is cleaned and cut, and nobody else waits for it."""
    (run,) = several(world, 1)
    world.rig.committer = Allergic(world, run, text=text)
    world.command(CommandKind.STOP)
    world.settle()

    ask(world, Wish.BURY)

    reason = world.database()["error_command"][0]["reason"]
    assert reason.startswith("buried by request; it failed with")
    assert len(reason) <= MOST_BURIAL


def test_a_run_whose_guarded_writes_never_hit_is_parked_and_the_others_go_on(world: World) -> None:
    """It is loaded again some times; then it waits, whatever else its batches say."""
    # Teeth: fails (nothing of any other run is ever read again) when an empty batch counts as a guarded write.
    run, other = several(world, 2)
    orders = sorted(take_all(world), key=lambda one: one.workflow_instance_id)
    world.worker.running(orders[0])
    world.read()
    world.rig.committer = Losing(world, run)

    for _ in range(20):
        world.step()
    world.worker.result(orders[1])
    for _ in range(20):
        world.read()
        world.step()

    assert list(world.rig.master.lanes.parked) == [run]
    assert world.rig.state(other) is WorkflowState.SUCCESS


def test_a_command_that_failed_more_than_once_can_be_buried_too(world: World) -> None:
    """At each retry other things come before it in its lane; they are done, and it is what failed.

    Teeth: fails (there is nothing to bury) if `Loop._one_by_one` parks a lane as a whole.
    """
    (run,) = several(world, 1)
    world.rig.committer = Allergic(world, run)
    world.command(CommandKind.STOP)
    for _ in range(5):
        world.rig.clock.advance(1.0)
        world.streams.wake(world.slot)  # whenever the lane is tried, the command is there at once
        world.settle()
    assert world.rig.master.lanes.parked[run].tries > 2

    ask(world, Wish.BURY)

    assert "buried by request" in world.database()["error_command"][0]["reason"]
    assert world.picture()["commands"] == []


def test_only_what_fails_is_buried_of_a_lane_in_which_much_waits(world: World) -> None:
    """It stands in the midst of what came at once; what stands before and behind it is done, in order.

    Teeth: fails (the first RUNNING is blamed) if a lane that fails is parked as a whole.
    """
    run = world.submit(a_task("a"), a_task("b"))
    world.settle()
    orders = world.worker.take_all()
    entries = [world.worker.running(orders[task]) for task in ("a", "b")]
    poison = world.worker.result(orders["a"], TaskState.FAILURE)
    entries.append(world.worker.result(orders["b"]))
    world.command(CommandKind.PAUSE)
    world.command(CommandKind.STOP)
    world.rig.committer = Squeamish(world)
    world.settle()
    assert world.rig.master.lanes.parked[run].entry == (poison.slot, poison.id)

    ask(world, Wish.BURY)
    world.settle()
    world.pass_time(2)

    assert [world.verdict(entry) for entry in (*entries, poison)] == ["ok", "ok", "ok", "buried"]
    assert {row.task: row.state for row in world.rows()} == {"a": TaskState.RUNNING, "b": TaskState.SUCCESS}
    assert (world.state, world.picture()["failed"]) == (WorkflowState.STOPPING, [])


def test_what_waits_in_a_lane_keeps_its_order_when_the_database_goes_away_in_the_midst(world: World) -> None:
    """The halves of a lane that failed are put back one behind the other.

    Teeth: fails (the run is paused) if `Loop._one_by_one` puts the second half back after it has tried the first.
    """
    several(world, 1)
    world.command(CommandKind.PAUSE)
    world.command(CommandKind.RESUME)
    a_bug = RuntimeError(
        "a bug"
    )  # of the batch, and without the entries that woke the master of the lane, too
    world.rig.committer = Stumbling(world, [a_bug, None, a_bug, StoreUnavailable("gone")])
    world.pass_time(10)

    assert (world.state, world.picture()["commands"]) == (WorkflowState.RUNNING, [])


def test_nothing_is_buried_for_what_comes_from_the_rows(world: World) -> None:
    """A timer that fails is no reason to give up what a worker says."""
    world.submit(a_task("a", retries=1, retry_delay_s=5.0), a_task("b"))
    world.settle()
    orders = world.worker.take_all()
    world.worker.result(orders["a"], TaskState.FAILURE)
    world.settle()
    world.rig.committer = Allergic(world, world.run)
    world.rig.clock.advance(6.0)
    world.step()
    assert world.rig.master.lanes.parked[world.run].tries == 1
    entry = world.worker.running(orders["b"])
    world.settle()

    ask(world, Wish.BURY)
    world.rig.committer = world.rig.commit
    world.pass_time(5)

    assert (world.verdict(entry), world.streams.dead) == ("ok", [])
    assert world.attempt("b").state is TaskState.RUNNING


def test_a_wish_about_a_run_that_is_not_parked_is_ignored(world: World) -> None:
    """Too late, or a slip of the finger: nothing happens."""
    several(world, 1)
    rows = world.database()

    ask(world, Wish.BURY)
    world.rig.board.requests.append({"do": "dance"})
    world.rig.master.control.step()
    world.settle()

    assert world.database() == rows


def test_an_online_whose_losses_cannot_be_committed_for_one_run_counts_for_the_others(world: World) -> None:
    """It speaks of many runs: the one that fails is parked, the others' attempts are replaced.

    Teeth: fails (nothing goes on) without `Loop._apart`.
    """
    runs = several(world, 3)
    for order in take_all(world):
        world.worker.running(order)
    world.settle()
    world.rig.committer = Allergic(world, runs[0])
    world.replace_worker("w1-2")
    entries = [world.worker.online(run % 64) for run in runs]
    world.settle()

    assert list(world.rig.master.lanes.parked) == [runs[0]]
    assert [attempts_of(world, run) for run in runs] == [1, 2, 2]
    assert [world.verdict(entry) for entry in entries] == ["ok", "ok", "ok"]

    world.rig.committer = world.rig.commit
    world.pass_time(40)
    assert [attempts_of(world, run) for run in runs] == [2, 2, 2]


@pytest.mark.parametrize("restarts", [True, False], ids=["at a takeover", "when an event comes"])
def test_a_run_that_cannot_be_loaded_is_parked_and_the_others_are_loaded(
    world: World, *, restarts: bool
) -> None:
    """A row that no code foresaw keeps its own run from going on, and no other; healed, it goes on.

    Teeth: fails (the takeover raises) without `Lanes._admit_safely`.
    """
    sick, well = several(world, 2)
    orders = {order.workflow_instance_id: order for order in take_all(world)}
    rename(world, sick, "only", "ghost")
    if restarts:
        world.restart_master()
    else:
        world.rig.master.loop._crew.aftermath._forget(sick)
    for order in orders.values():
        world.worker.result(order)
    world.settle()

    assert world.rig.state(well) is WorkflowState.SUCCESS
    assert list(world.rig.master.lanes.parked) == [sick]

    rename(world, sick, "ghost", "only")
    world.pass_time(2)
    assert world.rig.state(sick) is WorkflowState.SUCCESS


def test_a_run_whose_order_cannot_be_made_is_parked_and_the_others_are_dispatched(world: World) -> None:
    """A bug in the dispatcher about one run does not end the master.

    Teeth: fails (the loop raises) without the `except Exception` of `Dispatcher._orders`.
    """
    sick = world.submit(
        a_task("only", type="shell", params={"day": "$[yyyy]"}), name="sick", timezone="No/Where"
    )
    well = world.submit(a_task("only"), name="well")

    world.settle()

    assert world.broker.published == [f"{well}:only:1:1"]
    assert list(world.rig.master.lanes.parked) == [sick]
    world.pass_time(60)
    assert 3 <= world.rig.master.lanes.parked[sick].tries <= 8


def take_all(world: World) -> list[Order]:
    """Take every order."""
    found = []
    while (order := world.worker.take()) is not None:
        found.append(order)
    return found


def ask(world: World, wish: Wish) -> None:
    """Leave a wish about the run, and let it be heeded."""
    world.rig.board.requests.append({"do": wish.value, "workflow_instance_id": world.run})
    world.rig.master.control.step()
    world.settle()


def attempts_of(world: World, run: int) -> int:
    """Return how many attempts a run has."""
    world.run = run
    return len(world.rows())


def rename(world: World, run: int, old: str, new: str) -> None:
    """Change a task's name in a run's rows behind everybody's back."""
    columns = schema.task_instance.c
    where = (columns.workflow_instance_id == run) & (columns.task == old)
    with writing(world.rig.engine) as connection:
        connection.execute(update(schema.task_instance).where(where).values(task=new))
