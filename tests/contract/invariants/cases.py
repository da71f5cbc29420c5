"""Owns the cases: for every handler a world that is ready for it, and how its item comes to the loop."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import TaskDefinition
from orchestrator.core.event import CHILD_DIED, RejectReason
from orchestrator.core.order import Order
from orchestrator.core.status import TaskState
from orchestrator.store.pools import Pools
from tests.world import World, a_task

NESTED: dict[str, Any] = {"rows": 3, "files": {"a": [1, {"b": None, "c": ["ä", 2.5]}], "empty": []}}

Arrange = Callable[[World], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One handler in one situation.

    Attributes:
        arrange: Brings a world to the moment before.
        deliver: Makes the item wait for the loop's next turn.
        writes: Whether the item changes anything.
        told: Whether a worker waits for a verdict on it.
        ended: The run has ended: memory does not hold it, so that no revision of it can be out of date.
        changing: Fields that may rightly read otherwise in a twin world: they name ids, or who found out.
    """

    name: str
    arrange: Arrange
    deliver: Arrange
    writes: bool = True
    told: bool = False
    changing: tuple[str, ...] = ()
    ended: bool = False

    def __str__(self) -> str:
        """Name it in a test's id."""
        return self.name

    def ready(self, world: World) -> None:
        """Bring `world` to the moment at which the loop's next turn handles the item."""
        self.arrange(world)
        self.deliver(world)


def flow(**first: Any) -> tuple[TaskDefinition, ...]:
    """Return a diamond; the fields are of its first task."""
    fields = {"retries": 2, "retry_delay_s": 5.0, "non_retryable": ("Fatal",), **first}
    return (
        a_task("first", **fields),
        a_task("left", "first"),
        a_task("right", "first"),
        a_task("join", "left", "right"),
    )


def submitted(world: World) -> None:
    """The run waits for its START."""
    world.submit(*flow())
    world.read()
    world.instance  # noqa: B018  loads it, so that there is a memory to compare


def dispatched(world: World) -> None:
    """The first task is in the broker."""
    world.submit(*flow())
    world.settle()


def running(world: World) -> Order:
    """The first task runs."""
    world.submit(*flow())
    return world.started()


def held(world: World) -> Order:
    """Return the one order that the worker holds."""
    (order,) = world.worker.held.values()
    return order


def reporting(report: Callable[[World, Order], object]) -> Arrange:
    """Return a delivery: the worker reports on the order that it holds."""

    def deliver(world: World) -> None:
        report(world, held(world))
        world.read()

    return deliver


def ending(state: TaskState, **fields: Any) -> Arrange:
    """Return a delivery: the RESULT of the order that the worker holds."""
    return reporting(lambda world, order: world.worker.result(order, state, **fields))


def commanding(kind: CommandKind) -> Arrange:
    """Return a delivery: a command of a person."""
    return lambda world: world.command(kind)


def ended_badly(world: World) -> None:
    """The run has ended FAILURE: its first task failed for good, with outputs big and small."""
    running(world)
    world.worker.result(held(world), TaskState.FAILURE, error="Fatal", outputs=NESTED)
    world.settle()


def ended_well(world: World) -> None:
    """The run has ended SUCCESS; its first task has outputs that memory does not keep."""
    running(world)
    world.worker.result(held(world), outputs={**NESTED, "text": "x" * 2000})
    world.finish()


def asking(kind: CommandKind, **body: Any) -> Arrange:
    """Return a delivery: a command of a person who saw the run's first run count."""
    return lambda world: world.command(kind, **body)


def failing_and_recovered(world: World) -> None:
    """The RESULT that ends the run, and the command to recover it, are one batch."""
    ending(TaskState.FAILURE, error="Fatal")(world)
    world.command(CommandKind.RECOVER, run_count=1)


def nothing(_world: World) -> None:
    """What is to be handled waits already."""


def started_only(world: World) -> None:
    """The run's START is committed; the dispatcher has made the order, and nobody has published it."""
    submitted(world)
    world.step()


def claimed(world: World) -> None:
    """A worker has claimed the first task and not said so yet."""
    dispatched(world)
    world.taken()


def checked(world: World) -> Order:
    """The first task runs, and its outputs are to be checked."""
    world.submit(*flow(check={"expression": "${rows} > 5"}))
    return world.started()


def last(world: World) -> None:
    """The last task of a run runs."""
    world.submit(a_task("only"))
    world.started()


def paused(world: World) -> None:
    """The run is PAUSED with a paused attempt."""
    dispatched(world)
    world.command(CommandKind.PAUSE)
    world.settle()


def pausing(world: World) -> None:
    """The run is PAUSING, and the question who has the first task is on its way."""
    world.command(CommandKind.PAUSE)
    world.step()


def pausing_unclaimed(world: World) -> None:
    """The same, and nobody has claimed it."""
    dispatched(world)
    pausing(world)


def pausing_claimed(world: World) -> None:
    """The same, and a worker has claimed it."""
    claimed(world)
    pausing(world)


def waiting_for_retry(world: World) -> None:
    """The first task failed and waits for its retry."""
    order = running(world)
    world.worker.result(order, TaskState.FAILURE, error="ValueError")
    world.settle()


def overdue(world: World) -> None:
    """The first task runs beyond its time, and everything that was said has been read."""
    world.submit(*flow(timeout_s=20.0))
    world.started()
    world.pass_time(34)


def silent(world: World) -> None:
    """The worker of the first task has not been heard of for nearly as long as is allowed."""
    running(world)
    world.worker.silent = True
    world.pass_time(14)


def look_round(world: World) -> None:
    """Let a few seconds pass, in which the streams and the heartbeats are read."""
    world.rig.clock.advance(5.0)
    world.read()
    world.rig.master.membership.step()


def unresolvable(world: World) -> None:
    """The first task asks for a parameter that does not exist."""
    world.submit(*flow(params={"x": "${nowhere}"}))
    world.read()
    world.instance  # noqa: B018  loads it
    world.step()


def unstarted(on_queue_timeout: str) -> Arrange:
    """Return an arrangement: the first task has waited for nearly as long as it may, and nobody has claimed it."""

    def arrange(world: World) -> None:
        world.submit(*flow(queue_timeout_s=20.0, on_queue_timeout=on_queue_timeout, retries=0))
        world.pass_time(19)

    return arrange


def given_up(world: World) -> None:
    """The first task has waited too long, and the question who has it is on its way."""
    unstarted("fail")(world)
    look_round(world)
    world.step()


def looking(**spec: Any) -> Arrange:
    """Return an arrangement: a task waits for another workflow, which has no run; it has just looked."""

    def arrange(world: World) -> None:
        items = [{"workflow": "nobody", "window": "today"}]
        world.submit(a_task("wait", type="dependent", spec={"all": items, **spec}), a_task("go", "wait"))
        world.read()
        world.step()

    return arrange


def mapped(world: World) -> None:
    """A map waits for its list; the master has looked at it."""
    world.submit(a_task("first", map_over=[1, {"b": None}, "ä"], max_parallel=2), a_task("last", "first"))
    world.read()
    world.step()


def mapping(world: World) -> None:
    """Two of three elements of a map run; the worker holds one of them."""
    mapped(world)
    world.settle()
    for order in world.worker.take_all().values():
        world.worker.running(order)
    world.settle()
    world.worker.held.pop(next(iter(world.worker.held)))


def one_left(world: World) -> None:
    """All elements of a map but the last have succeeded, with outputs big and small."""
    mapped(world)
    for _ in range(2):
        world.settle()
        for order in list(world.worker.held.values()):
            world.worker.result(order, outputs={**NESTED, "text": "é" * 2000})
        world.settle()
        for order in world.worker.take_all().values():
            world.worker.running(order)
    world.settle()


def gathering(world: World) -> None:
    """All elements have succeeded; the master has put their outputs together."""
    one_left(world)
    for order in list(world.worker.held.values()):
        world.worker.result(order, outputs=NESTED)
    world.read()
    world.step()


def failed_map(world: World) -> None:
    """The run has ended FAILURE: one element of its map failed, the others succeeded."""
    one_left(world)
    world.worker.result(held(world), TaskState.FAILURE, error="Fatal")
    world.settle()


def timed(world: World) -> None:
    """The run has a timeout after which it is to be stopped."""
    world.submit(*flow(), timeout_s=30.0, on_timeout="stop")
    world.started()


def wide(world: World) -> None:
    """More roots than one step may create: the rest is owed."""
    world.submit(*(a_task(f"root-{number:04d}") for number in range(1005)))
    world.read()
    world.step()


def broken(world: World) -> None:
    """The definition has a cycle: it can never start."""
    world.submit(a_task("a", "b"), a_task("b", "a"))
    world.read()
    world.instance  # noqa: B018  loads it


def pooled(world: World) -> None:
    """The run's START is handled: its first task has got the one slot there is, and has not heard of it."""
    Pools(world.rig.engine).set("few", 1)
    world.submit(*flow(pool="few"))
    world.read()
    world.step()


def with_slot(world: World) -> Order:
    """The first task runs with the one slot there is."""
    Pools(world.rig.engine).set("few", 1)
    world.submit(*flow(pool="few"))
    return world.started()


def in_line(world: World) -> None:
    """The run pauses while both its tasks wait for a slot."""
    Pools(world.rig.engine).set("few", 0)
    world.submit(a_task("one", pool="few"), a_task("two", pool="few"))
    world.settle()
    world.command(CommandKind.PAUSE)
    world.step()


def restart(world: World) -> None:
    """The worker starts again: its ONLINE is read, and its old self is silent."""
    world.replace_worker("w1-2").online(world.slot)
    world.read()


def in_the_broker(world: World) -> None:
    """The messenger publishes what the loop asked for, and answers."""
    world.rig.master.messenger.step()


def keeping(world: World) -> Order:
    """The first task runs, and its outputs will be kept."""
    world.submit(*flow(cache=True))
    return world.started()


def looked_up(world: World) -> None:
    """The start is committed; the cache was asked, and has nothing."""
    world.submit(*flow(cache=True))
    world.read()
    world.instance  # noqa: B018  loads it
    world.step()


def found(world: World) -> None:
    """The start is committed; the cache was asked, and has what an earlier run has kept."""
    world.worker.result(keeping(world), outputs={**NESTED, "text": "é" * 2000})
    world.finish()
    looked_up(world)


def held_by_name(world: World) -> None:
    """The first task is held: a person has paused it, not its run."""
    dispatched(world)
    world.command(CommandKind.PAUSE, task="first")
    world.settle()


EVENTS = (
    Case(name="DISPATCH", arrange=started_only, deliver=in_the_broker),
    Case(
        name="DELAY",
        arrange=running,
        deliver=reporting(lambda world, order: world.worker.delay(order, 3.0)),
        told=True,
    ),
    Case(
        name="RUNNING",
        arrange=claimed,
        deliver=reporting(lambda world, order: world.worker.running(order)),
        told=True,
    ),
    Case(
        name="RESULT success",
        arrange=running,
        deliver=ending(TaskState.SUCCESS, outputs=NESTED, exit_code=0),
        told=True,
    ),
    Case(
        name="RESULT with big outputs",
        arrange=running,
        deliver=ending(TaskState.SUCCESS, outputs={**NESTED, "text": "é" * 2000}),
        told=True,
    ),
    Case(
        name="RESULT that is kept",
        arrange=keeping,
        deliver=ending(TaskState.SUCCESS, outputs=NESTED),
        told=True,
    ),
    Case(
        name="RESULT retried",
        arrange=running,
        deliver=ending(TaskState.FAILURE, error="ValueError", reason="ValueError: no", exit_code=3),
        told=True,
    ),
    Case(
        name="RESULT that a check calls a failure",
        arrange=checked,
        deliver=ending(TaskState.SUCCESS, outputs=NESTED),
        told=True,
    ),
    Case(name="RESULT failure", arrange=running, deliver=ending(TaskState.FAILURE, error="Fatal"), told=True),
    Case(name="RESULT killed", arrange=running, deliver=ending(TaskState.KILLED, reason="killed"), told=True),
    Case(
        name="RESULT of a dead child",
        arrange=running,
        deliver=ending(TaskState.FAILURE, error=CHILD_DIED),
        told=True,
    ),
    Case(
        name="RESULT before RUNNING",
        arrange=claimed,
        deliver=ending(TaskState.SUCCESS, outputs=NESTED),
        told=True,
    ),
    Case(
        name="RESULT of the last", arrange=last, deliver=ending(TaskState.SUCCESS, outputs=NESTED), told=True
    ),
    Case(
        name="RESULT of an element",
        arrange=mapping,
        deliver=ending(TaskState.SUCCESS, outputs=NESTED),
        told=True,
    ),
    Case(
        name="DELAY that gives a slot back",
        arrange=with_slot,
        deliver=reporting(lambda world, order: world.worker.delay(order, 3.0)),
        told=True,
    ),
    Case(
        name="RESULT that gives a slot back",
        arrange=with_slot,
        deliver=ending(TaskState.SUCCESS, outputs=NESTED),
        told=True,
    ),
    Case(
        name="RESULT of the last element, failed",
        arrange=one_left,
        deliver=ending(TaskState.FAILURE, error="Fatal"),
        told=True,
    ),
    Case(
        name="RESULT retried that stands in line again",
        arrange=with_slot,
        deliver=ending(TaskState.FAILURE, error="ValueError", exit_code=3),
        told=True,
    ),
    Case(
        name="REJECT",
        arrange=claimed,
        deliver=reporting(lambda world, order: world.worker.reject(order, RejectReason.DRAINING)),
        told=True,
    ),
    Case(
        name="REJECT by all",
        arrange=claimed,
        deliver=reporting(
            lambda world, order: world.worker.reject(order, RejectReason.UNKNOWN_CALLABLE, "no module x")
        ),
        told=True,
    ),
)

COMMANDS = (
    Case(name="START", arrange=submitted, deliver=nothing),
    Case(name="START of a broken one", arrange=broken, deliver=nothing),
    Case(name="GRANTED", arrange=pooled, deliver=nothing),
    Case(name="PAUSE", arrange=running, deliver=commanding(CommandKind.PAUSE)),
    Case(name="RESUME", arrange=paused, deliver=commanding(CommandKind.RESUME)),
    Case(name="PAUSE of a task", arrange=dispatched, deliver=asking(CommandKind.PAUSE, task="first")),
    Case(name="RESUME of a task", arrange=held_by_name, deliver=asking(CommandKind.RESUME, task="first")),
    Case(name="STOP", arrange=waiting_for_retry, deliver=commanding(CommandKind.STOP)),
    Case(name="STOP of a paused one", arrange=paused, deliver=commanding(CommandKind.STOP)),
    Case(name="RECOVER", arrange=ended_badly, deliver=asking(CommandKind.RECOVER, run_count=1), ended=True),
    Case(
        name="RECOVER of a map",
        arrange=failed_map,
        deliver=asking(CommandKind.RECOVER, run_count=1),
        ended=True,
    ),
    Case(name="PAUSE of a map", arrange=mapping, deliver=commanding(CommandKind.PAUSE)),
    Case(name="STOP of a map", arrange=mapping, deliver=commanding(CommandKind.STOP)),
    Case(name="RECOVER with the failure", arrange=running, deliver=failing_and_recovered),
    Case(
        name="RERUN",
        arrange=ended_well,
        ended=True,
        deliver=asking(CommandKind.RERUN, run_count=1, params={"day": "today"}),
    ),
    Case(
        name="RERUN from",
        arrange=ended_well,
        ended=True,
        deliver=asking(CommandKind.RERUN, run_count=1, **{"from": "left"}),
    ),
    Case(
        name="FORCE_SUCCESS",
        arrange=ended_badly,
        ended=True,
        deliver=asking(CommandKind.FORCE_SUCCESS, task="first", attempt=1, outputs=NESTED),
    ),
)

NOTICES = (
    Case(name="attempt due", arrange=waiting_for_retry, deliver=lambda world: world.rig.clock.advance(6.0)),
    Case(name="attempt timeout", arrange=overdue, deliver=look_round),
    Case(name="attempt lost", arrange=silent, deliver=look_round),
    Case(
        name="recall won",
        arrange=pausing_unclaimed,
        deliver=in_the_broker,
    ),
    Case(
        name="recall lost",
        arrange=pausing_claimed,
        deliver=in_the_broker,
    ),
    Case(name="unsubmittable", arrange=unresolvable, deliver=nothing),
    Case(name="run timeout", arrange=timed, deliver=lambda world: world.rig.clock.advance(31.0)),
    Case(name="queue timeout", arrange=unstarted("fail"), deliver=look_round),
    Case(name="queue timeout that is only told", arrange=unstarted("warn"), deliver=look_round),
    Case(name="recall won after a queue timeout", arrange=given_up, deliver=in_the_broker),
    Case(name="looked and waits", arrange=looking(), deliver=nothing),
    Case(name="looked and failed", arrange=looking(on_missing="fail"), deliver=nothing),
    Case(name="spread", arrange=mapped, deliver=nothing),
    Case(name="gathered", arrange=gathering, deliver=nothing),
    Case(name="withdrawn from the line", arrange=in_line, deliver=nothing),
    Case(name="cache missed", arrange=looked_up, deliver=nothing),
    Case(name="cache hit", arrange=found, deliver=nothing, changing=("reason",)),
    Case(name="continue", arrange=wide, deliver=nothing),
    Case(name="ONLINE", arrange=running, deliver=restart, told=True, changing=("reason",)),
)

REPEATS = (
    Case(
        name="RUNNING again",
        arrange=running,
        deliver=reporting(lambda world, order: world.worker.running(order)),
        writes=False,
        told=True,
    ),
    Case(
        name="RUNNING of another worker",
        arrange=running,
        deliver=reporting(lambda world, order: world.worker.running(order, incarnation="somebody else")),
        writes=False,
        told=True,
    ),
    Case(
        name="RUNNING forged",
        arrange=running,
        deliver=reporting(lambda world, order: world.worker.running(order, ticket="guessed")),
        writes=False,
        told=True,
    ),
    Case(
        name="RUNNING of an unknown run",
        arrange=running,
        deliver=reporting(lambda world, order: world.worker.running(order, workflow_instance_id=999_999_999)),
        writes=False,
        told=True,
    ),
)

CHANGES = (*EVENTS, *COMMANDS, *NOTICES)
EVERYTHING = (*CHANGES, *REPEATS)
