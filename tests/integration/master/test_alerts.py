"""What a person must look at is a row of the outbox, once per occasion, however often it is tried."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from orchestrator.core.changes import Changes, Leases
from orchestrator.core.event import TaskRunning
from orchestrator.errors import LeaseLost, StoreUnavailable
from orchestrator.master.alerts import Bulletin, buried, parked
from orchestrator.master.announcer import Announcer
from orchestrator.store.outbox import Outbox
from orchestrator.testing.redis import MemoryStreams
from tests.integration.master.test_parking import Allergic, paused_run, rename
from tests.world import World, a_task, slot_of

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def outbox(world: World) -> list[dict[str, Any]]:
    """Let the master write its own alerts; return every alert there is."""
    world.rig.master.bulletin.step()
    return world.database()["outbox"]


def keys(world: World) -> list[str]:
    """Return the keys of all alerts."""
    return [row["key"] for row in outbox(world)]


# --- parked ----------------------------------------------------------------------------------


def test_a_run_that_failed_five_times_is_one_alert(world: World) -> None:
    """Not after four tries, and not one more for each further one, nor after a restart of the master.

    Teeth: fails without `_alert` in `Parking.park`; with the number of tries in the key.
    """
    run = paused_run(world)
    world.say(world.attempt("only"), TaskRunning)
    tries = iter_tries(world, run)
    while next(tries) < 5:
        assert outbox(world) == []

    (row,) = outbox(world)
    assert (row["kind"], row["workflow_instance_id"], row["slot"]) == ("parked", run, slot_of(run))
    assert "PAUSED -> RUNNING" in row["body"]["error"]
    assert row["body"]["tries"] == 5

    world.pass_time(200, tick_s=5.0)
    world.restart_master()
    world.pass_time(200, tick_s=5.0)
    assert world.rig.master.lanes.parked[run].tries > 5
    assert keys(world) == [row["key"]]


def test_a_run_that_recovered_and_fails_again_is_another_alert(world: World) -> None:
    """What committed in between ends the occasion."""
    run = world.submit(a_task("one"), a_task("two"))
    world.settle()
    for order in world.worker.take_all().values():
        world.rig.committer = Allergic(world, run)
        world.worker.running(order)
        world.pass_time(40)
        outbox(world)
        world.rig.committer = world.rig.commit
        world.pass_time(60)

    assert len(set(keys(world))) == 2


def test_a_run_that_cannot_be_loaded_is_an_alert_too(world: World) -> None:
    """Its row is known, though nobody understands its attempts."""
    run = world.submit(a_task("only"))
    world.started()
    rename(world, run, "only", "ghost")
    world.restart_master()
    world.pass_time(60)

    (row,) = outbox(world)
    assert (row["kind"], row["workflow_instance_id"]) == ("parked", run)


# --- buried ----------------------------------------------------------------------------------


def test_a_buried_event_is_an_alert_in_the_same_transaction(world: World) -> None:
    """With the reason, and where the dead letter comes from."""
    bad = world.add(b"nonsense", slot=3)
    world.settle()

    (row,) = world.database()["outbox"]
    assert (row["kind"], row["slot"], row["workflow_instance_id"]) == ("buried", 3, None)
    assert (row["body"]["entry"], row["body"]["worker"]) == (bad.id, bad.worker)
    assert row["body"]["reason"]


def test_a_buried_event_that_comes_again_is_the_same_alert(world: World) -> None:
    """Its verdict was lost: it is buried again, and told once."""
    world.add(b"nonsense", slot=3)
    world.streams.refuses = True
    world.settle()
    world.streams.refuses = False
    world.pass_time(30)

    assert len(world.streams.dead) >= 2
    assert len(outbox(world)) == 1


def test_an_event_sent_again_by_its_worker_is_the_same_alert() -> None:
    """Another entry, the same line of the worker's spool; what differs in payload or line is another one."""
    streams = MemoryStreams()
    sent = [streams.add(3, b"x", worker="w", spool_id=7) for _ in range(2)]
    others = [streams.add(3, b"y", worker="w", spool_id=7), streams.add(3, b"x", worker="w", spool_id=8)]

    assert len({buried(one, "r").key for one in sent}) == 1
    assert len({buried(one, "r").key for one in [*sent, *others]}) == 3


def test_what_a_stranger_sent_can_always_be_stored() -> None:
    """No NUL, no half characters, and not endless."""
    entry = MemoryStreams().add(3, b"x", worker="w\x00\ud800", spool_id=1)

    alert = buried(entry, "no \x00" + "x" * 100_000)

    assert "\x00" not in f"{alert.key}{alert.body}"
    f"{alert.key}{alert.body}".encode()
    assert len(str(alert.body)) < 1000


# --- no worker -------------------------------------------------------------------------------


def test_a_group_without_workers_is_one_alert(world: World) -> None:
    """After the time that a worker needs to be lost; told once, however long it lasts.

    Teeth: fails without `Gaps.step` in `Rounds.step`.
    """
    run = world.submit(a_task("first"), a_task("second"))
    world.settle()
    world.worker.silent = True
    world.pass_time(20)
    assert outbox(world) == []
    world.pass_time(60)

    (row,) = outbox(world)
    assert (row["kind"], row["workflow_instance_id"], row["slot"]) == ("no_worker", run, slot_of(run))
    assert row["body"] == {"group": "default", "waiting": 2}
    world.restart_master()
    world.pass_time(60)
    assert keys(world) == [row["key"]]


def test_a_group_that_has_no_work_needs_no_workers(world: World) -> None:
    """Nobody waits: nobody is told."""
    world.submit(a_task("first"), a_task("second", "first", delay_s=3600.0))
    world.worker.result(world.started())
    world.settle()
    world.worker.silent = True

    world.pass_time(60)

    assert outbox(world) == []


def test_a_short_gap_is_nothing(world: World) -> None:
    """A worker that is restarted."""
    world.submit(a_task("first"))
    world.settle()
    for _ in range(4):
        world.worker.silent = True
        world.pass_time(20)
        world.worker.silent = False
        world.pass_time(5)

    assert outbox(world) == []


# --- the way to the outbox -------------------------------------------------------------------


@dataclass(slots=True)
class Scripted:
    """A committer that fails as told, then notes what it is given."""

    failures: list[Exception]
    given: list[tuple[Changes, Leases]] = field(default_factory=list)

    def commit(self, changes: Changes, leases: Leases) -> datetime:
        """Fail or note."""
        if self.failures:
            raise self.failures.pop(0)
        self.given.append((changes, leases))
        return NOW


ALERT = parked(67, 3, 5, error="no", tries=5)
LEASES = Leases(owner="m", epochs={3: 7, 4: 8})


def test_an_alert_waits_for_a_database_that_is_away() -> None:
    """It is written once the database is back, under the lease of its slot alone."""
    committer = Scripted([StoreUnavailable("gone")])
    bulletin = Bulletin(committer, LEASES)
    bulletin.add(ALERT)
    with pytest.raises(StoreUnavailable):
        bulletin.step()

    assert (bulletin.step(), bulletin.step()) == (1, 0)
    assert committer.given == [(Changes(alerts=(ALERT,)), Leases(owner="m", epochs={3: 7}))]


def test_a_master_that_lost_its_slots_tells_nothing() -> None:
    """The other one will notice for itself; the thread goes on until the loop ends the reign."""
    committer = Scripted([LeaseLost([3])])
    bulletin = Bulletin(committer, LEASES)
    bulletin.add(ALERT)

    with capture_logs() as logs:
        bulletin.step()

    assert [line["event"] for line in logs] == ["alerts.not_ours"]
    assert (bulletin.step(), committer.given) == (0, [])


def test_alerts_that_cannot_be_written_are_dropped_aloud() -> None:
    """A bug in one is a line in the log, not the end of the announcer's thread; the next one is written.

    Teeth: fails (ValueError ends the thread, and so the master) without the last `except` of `Bulletin.step`.
    """
    committer = Scripted([ValueError("no such kind")])
    bulletin = Bulletin(committer, LEASES)
    bulletin.add(ALERT)
    other = parked(131, 3, 6, error="no", tries=5)

    with capture_logs() as logs:
        bulletin.step()
        bulletin.add(other)
        bulletin.step()

    assert [(line["event"], line["log_level"], line["keys"]) for line in logs] == [
        ("alerts.failed", "error", [ALERT.key])
    ]
    assert [changes.alerts for changes, _ in committer.given] == [(other,)]


def test_the_announcer_writes_and_tells_them(world: World) -> None:
    """As it does for failures: one line for each, and never again."""
    world.add(b"nonsense")
    world.settle()
    master = world.rig.master
    master.bulletin.add(parked(world.run or 64, 0, 5, error="no", tries=5))
    announcer = Announcer(Outbox(world.rig.engine), range(64), master.bulletin)

    with capture_logs() as logs:
        assert (announcer.step(), announcer.step()) == (2, 0)

    assert sorted(line["event"] for line in logs) == ["alert.buried", "alert.parked"]


def iter_tries(world: World, run: int) -> Iterator[int]:
    """Yield how often a parked run was tried, second by second."""
    while True:
        world.pass_time(1)
        yield world.rig.master.lanes.parked[run].tries if run in world.rig.master.lanes.parked else 0
