"""Stored schedules: deployments keep them, they fire once whatever crashes, and never under a lost lease."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Connection, update

from orchestrator.authoring.cron import CronTimes
from orchestrator.core.changes import Leases
from orchestrator.core.schedule import Decision, Fire
from orchestrator.errors import LeaseLost, NotFound
from orchestrator.master.schedules import Scheduler
from orchestrator.store.definitions import Definitions
from orchestrator.store.leases import SlotLeases
from orchestrator.store.schedules import Fired, Look, Schedules, StoredSchedule
from orchestrator.store.schema import schedule, slot_lease
from orchestrator.store.session import open_engine, writing
from tests.contract.store.bench import OWNER, Bench, listening, make_bench, make_definition
from tests.programs import run_text

NIGHT = {"cron": "0 2 * * *"}
CRASHED = 137

MASTER = """
import sys
from orchestrator import crash
from orchestrator.authoring.cron import CronTimes
from orchestrator.core.changes import Leases
from orchestrator.master.schedules import Scheduler
from orchestrator.store.schedules import Schedules
from orchestrator.store.session import open_engine

url, owner, point = sys.argv[1:]
leases = Leases(owner=owner, epochs=dict.fromkeys(range(64), 1))
crash.arm(point)
Scheduler(Schedules(open_engine(url, "master")), CronTimes(), leases, lambda slot: None, lambda: 0.0).step()
"""


def a_scheduler(bench: Bench, table: Any = None, leases: Leases | None = None) -> Scheduler:
    """Return a master's duty that looks whenever it is asked."""
    ticks = iter(range(10**9))
    return Scheduler(
        table or Schedules(bench.engine),
        CronTimes(),
        leases or bench.leases,
        lambda _slot: None,
        lambda: 10.0 * next(ticks),
    )


def hourly(**rules: str) -> dict[str, str]:
    """Return a schedule that fires half an hour from now, and each hour: never while a test looks."""
    minute = (datetime.now(UTC) + timedelta(minutes=30)).minute
    return {"cron": f"{minute} * * * *", "misfire": "all", **rules}


def set_back(bench: Bench, hours: float) -> None:
    """Let every schedule be as it was so many hours ago."""
    then = bench.committer.database_now() - timedelta(hours=hours)
    values = {"handled_until": then, "active_since": then, "next_at": then}
    with writing(bench.engine) as connection:
        connection.execute(update(schedule).values(values))


def planned(bench: Bench) -> list[datetime]:
    """Return the planned times of all runs, in order."""
    return sorted(row["planned_time"] for row in bench.contents()["workflow_instance"])


def starts(bench: Bench) -> int:
    """Return how many STARTs wait."""
    return len(bench.commands.pending(range(64), 10_000))


def test_deployment_keeps_ids_and_pauses_of_what_is_unchanged(bench: Bench) -> None:
    """A new version of the tasks touches none; a changed rule leaves the same schedule; others come and go."""
    schedules = Schedules(bench.engine)
    bench.deploy(schedules=(NIGHT, hourly()))
    night, minute = schedules.list()
    schedules.set_paused(night.id, paused=True)

    bench.deploy(schedules=(hourly(), NIGHT), description="new")
    assert [(one.id, one.paused) for one in schedules.list()] == [(night.id, True), (minute.id, False)]
    bench.deploy(schedules=({**NIGHT, "misfire": "skip"}, {"cron": "0 3 * * *"}))

    found = {one.id: one for one in schedules.list()}
    assert (found[night.id].paused, str(found[night.id].said.misfire)) == (True, "skip")
    assert minute.id not in found
    assert max(found) > minute.id


def test_deployment_for_one_run_leaves_schedules_as_they_are(bench: Bench) -> None:
    """`run FILE` wants one run: it enters no schedule, and neither wakes nor stops one; a real deployment does."""
    definitions, schedules = Definitions(bench.engine), Schedules(bench.engine)
    scheduled = make_definition(schedules=(hourly(),))

    definitions.deploy(scheduled, schedules=False)
    assert schedules.list() == []
    definitions.deploy(scheduled)
    definitions.set_online("nightly", online=False)
    definitions.deploy(scheduled, schedules=False)
    assert [one.next_at for one in schedules.list()] == [None]
    definitions.deploy(scheduled)

    assert all(one.next_at is not None for one in schedules.list())


def test_slot_follows_from_the_id(bench: Bench) -> None:
    """As for runs: the master of that slot fires it."""
    bench.deploy(schedules=(NIGHT, hourly()))

    assert all(one.slot == one.id % 64 for one in Schedules(bench.engine).list())


def test_offline_workflow_rests_and_makes_nothing_up(bench: Bench) -> None:
    """While it is offline nothing fires; what was planned then is gone, whatever the misfire rule."""
    definitions = Definitions(bench.engine)
    bench.deploy(schedules=(hourly(),))
    set_back(bench, 5)

    definitions.set_online("nightly", online=False)
    assert a_scheduler(bench).step() == 0
    definitions.set_online("nightly", online=True)

    assert a_scheduler(bench).step() == 0
    assert planned(bench) == []
    (one,) = Schedules(bench.engine).list()
    assert one.next_at is not None
    assert one.next_at > bench.committer.database_now()


def test_due_schedule_makes_a_run_with_its_start_and_its_interval(bench: Bench) -> None:
    """The latest version runs; the interval begins at the fire time before."""
    bench.deploy(schedules=(hourly(misfire="once"),))
    set_back(bench, 3)

    assert a_scheduler(bench).step() == 1

    (run,) = bench.contents()["workflow_instance"]
    assert run["planned_time"] - run["interval_start"] == timedelta(hours=1)
    assert run["idempotency_key"].startswith("schedule:")
    assert starts(bench) == 1
    head = bench.load(run["id"]).head
    assert head.interval_start == run["interval_start"]


def test_missed_times_follow_the_rule_of_each_schedule(bench: Bench) -> None:
    """Nobody lived for more than five hours."""
    for name in ("skip", "once", "all"):
        bench.deploy(name=name, schedules=(hourly(misfire=name),))
    set_back(bench, 5.2)

    a_scheduler(bench).step()

    counts = [row["workflow"] for row in bench.contents()["workflow_instance"]]
    assert (counts.count("skip"), counts.count("once")) == (0, 1)
    assert counts.count("all") == 5


def test_paused_schedule_fires_nothing_and_its_rule_decides_when_it_is_resumed(bench: Bench) -> None:
    """What was planned meanwhile was missed, although a master lived."""
    schedules, scheduler = Schedules(bench.engine), a_scheduler(bench)
    for name in ("skip", "once", "all"):
        bench.deploy(name=name, schedules=(hourly(misfire=name),))
    set_back(bench, 3)
    for one in schedules.list():
        assert schedules.set_paused(one.id, paused=True)
        assert not schedules.set_paused(one.id, paused=True)
    assert scheduler.step() == 0

    for one in schedules.list():
        assert schedules.set_paused(one.id, paused=False)
    scheduler.step()

    counts = [row["workflow"] for row in bench.contents()["workflow_instance"]]
    assert [counts.count(name) for name in ("skip", "once", "all")] == [0, 1, 3]


def test_unknown_schedule_is_refused(bench: Bench) -> None:
    """The message says where to look."""
    with pytest.raises(NotFound, match="schedules list"):
        Schedules(bench.engine).set_paused(4711, paused=True)


def test_two_masters_that_fire_at_the_same_time_fire_once(bench: Bench) -> None:
    """Two duties under the same lease, many times at once: one run for each planned time."""
    bench.deploy(schedules=(hourly(),))
    set_back(bench, 30)
    duties = [a_scheduler(bench) for _ in range(4)]

    with ThreadPoolExecutor(4) as threads:
        made = sum(threads.map(lambda duty: sum(duty.step() for _ in range(5)), duties))

    times = planned(bench)
    assert made == len(times) == len(set(times))
    assert len(times) == 30
    assert starts(bench) == len(times)


def test_master_whose_lease_is_gone_fires_nothing(bench: Bench) -> None:
    """A zombie is fenced: nothing is written, and it goes on without a traceback."""
    bench.deploy(schedules=(hourly(),))
    set_back(bench, 3)
    with writing(bench.engine) as connection:
        connection.execute(update(slot_lease).values(owner=None, expires_at=None))
    heir = SlotLeases(bench.engine).acquire("heir", 60.0)
    before = bench.contents()

    assert a_scheduler(bench).step() == 0
    (one,) = Schedules(bench.engine).list()
    with pytest.raises(LeaseLost):
        Schedules(bench.engine).fire(one.id, bench.leases, never)

    assert bench.contents() == before
    assert a_scheduler(bench, leases=heir).step() == 3


def never(_schedule: StoredSchedule, _now: datetime) -> Decision:
    """Fail the test: nobody may be asked."""
    raise AssertionError


@pytest.mark.parametrize("table", ["workflow_instance", "command"])
def test_fire_is_written_wholly_or_not_at_all(bench: Bench, table: str) -> None:
    """A failure in the middle leaves the schedule due, without a run; it rests, and is then tried again."""
    bench.deploy(schedules=(hourly(),))
    set_back(bench, 2)
    before = bench.contents()

    def refuse(_: Connection, __: Any, statement: str, *___: Any) -> None:
        if statement.startswith(f"INSERT INTO {table}"):
            raise ZeroDivisionError

    scheduler = a_scheduler(bench)
    with listening(bench.engine, "after_cursor_execute", refuse):
        assert scheduler.step() == 0

    assert bench.contents() == before
    assert scheduler.step() == 0
    assert a_scheduler(bench).step() == 2


def test_planned_time_that_was_run_is_not_run_again(bench: Bench) -> None:
    """The key (schedule, planned time) is the last line: even a schedule that forgot does not double."""
    bench.deploy(schedules=(hourly(),))
    set_back(bench, 5)
    first = a_scheduler(bench).step()

    set_back(bench, 5)
    a_scheduler(bench).step()

    times = planned(bench)
    assert first == 5
    assert len(times) == len(set(times))
    assert starts(bench) == len(times)


@pytest.mark.parametrize(
    ("point", "written"),
    [
        ("schedule.before_flush", False),
        ("schedule.after_flush", False),
        ("schedule.after_commit", True),
    ],
)
def test_master_that_dies_while_firing_neither_loses_nor_doubles(
    database_url: str, point: str, *, written: bool
) -> None:
    """As after `kill -9`: the next master fires exactly what the first one did not."""
    bench = make_bench(open_engine(database_url, "master"))
    bench.deploy(schedules=(hourly(),))
    set_back(bench, 4)

    ended = run_text(MASTER, database_url, OWNER, point)

    assert ended == CRASHED
    assert len(planned(bench)) == (4 if written else 0)
    a_scheduler(bench).step()
    times = planned(bench)
    assert len(times) == len(set(times)) == starts(bench)
    gaps = {later - earlier for earlier, later in pairwise(times)}
    assert gaps == {timedelta(hours=1)}
    bench.engine.dispose()


class Broken:
    """A table of two schedules of which one cannot be fired."""

    def __init__(self) -> None:
        self.fired: list[int] = []

    def look(self, _slots: object) -> Look:
        """Say that both are due."""
        return Look(now=datetime(2026, 11, 1, tzinfo=UTC), due=((1, 1), (2, 2)), next_at=None)

    def fire(self, number: int, _leases: Leases, _choose: Callable[..., Decision]) -> Fired:
        """Fire the second."""
        self.fired.append(number)
        if number == 1:
            raise ZeroDivisionError
        return Fired(runs=((7, 7),), now=datetime(2026, 11, 1, tzinfo=UTC))


def test_schedule_with_a_bug_does_not_stop_the_others(bench: Bench) -> None:
    """It rests for a while; the others fire with every look."""
    table = Broken()
    scheduler = a_scheduler(bench, table)

    assert [scheduler.step() for _ in range(2)] == [1, 1]
    assert table.fired == [1, 2, 2]


def test_schedule_that_never_fires_again_is_looked_at_no_more(bench: Bench) -> None:
    """Its end is over: nothing is due, nothing is to come."""
    bench.deploy(schedules=({"cron": "* * * * *", "end": "2020-01-01"},))

    a_scheduler(bench).step()

    (one,) = Schedules(bench.engine).list()
    assert one.next_at is None
    assert Schedules(bench.engine).look(range(64)).due == ()


def test_fire_keeps_what_was_decided(bench: Bench) -> None:
    """Whatever the decision, its end is the next beginning."""
    bench.deploy(schedules=(NIGHT,))
    (one,) = Schedules(bench.engine).list()
    at = datetime(2026, 11, 1, 2, tzinfo=UTC)
    decision = Decision(
        fires=(Fire(planned_time=at, interval_start=None),), handled_until=at, next_at=at + timedelta(days=1)
    )

    fired = Schedules(bench.engine).fire(one.id, bench.leases, lambda _schedule, _now: decision)

    (after,) = Schedules(bench.engine).list()
    assert len(fired.runs) == 1
    assert (after.handled_until, after.next_at) == (at, at + timedelta(days=1))
