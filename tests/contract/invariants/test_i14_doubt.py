"""I14: a lost COMMIT reply leads neither to a double effect nor to a lost one."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, text
from structlog.testing import capture_logs

from orchestrator.core.changes import Changes, Leases
from orchestrator.core.command import CommandKind
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.errors import CommitInDoubt
from tests.contract.invariants.cases import last, running
from tests.contract.invariants.faults import FAULTS, fail_once
from tests.world import World

LOST_REPLY = next(fault for fault in FAULTS if fault.name == "reply lost")
LOST_COMMIT = next(fault for fault in FAULTS if fault.name == "after flush")
SEQUENCES = {
    "done": [LOST_REPLY],
    "not done": [LOST_COMMIT],
    "not done, then done": [LOST_COMMIT, LOST_REPLY],
    "done twice": [LOST_REPLY, LOST_REPLY],
}


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_a_result_in_doubt_counts_once(world: World, sequence: str) -> None:
    """Whether the COMMIT happened or not: one row each, one dispatch each, one verdict in the end.

    Teeth: fails without the reload of `in_doubt` in `Loop._failed`: memory stays behind the row.
    """
    entry = world.worker.result(running(world), outputs={"n": 1})
    world.read()

    with capture_logs() as logs:
        for fault in SEQUENCES[sequence]:
            with fault.during(world):
                fail_once(world, fault)
            world.rig.clock.advance(1.0)
        world.pass_time(3)

    assert [line for line in logs if line["event"] == "revision.lost"] == []

    assert [(row.task, row.attempt, row.outputs) for row in world.rows()] == [
        ("first", 1, {"n": 1}),
        ("left", 1, {}),
        ("right", 1, {}),
    ]
    assert world.broker.published.count(f"{world.run}:left:1:1") == 1
    assert world.verdicts(entry) == 1
    world.assert_memory_equals_rows()


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_the_end_of_a_run_in_doubt_is_told_once(world: World, sequence: str) -> None:
    """The alert's key refuses a second row."""
    last(world)
    (order,) = world.worker.held.values()
    world.worker.result(order, TaskState.FAILURE)
    world.read()

    for fault in SEQUENCES[sequence]:
        with fault.during(world):
            fail_once(world, fault)
        world.rig.clock.advance(1.0)
    world.pass_time(3)

    assert world.state is WorkflowState.FAILURE
    assert world.picture()["alerts"] == ["workflow_failure:run:1:"]


@pytest.mark.parametrize("kind", [CommandKind.PAUSE, CommandKind.STOP], ids=str)
@pytest.mark.parametrize("sequence", SEQUENCES)
def test_a_command_in_doubt_is_neither_lost_nor_refused(
    world: World, sequence: str, kind: CommandKind
) -> None:
    """It is applied once; its row is gone, and it did not become an error."""
    running(world)
    world.command(kind)

    for fault in SEQUENCES[sequence]:
        with fault.during(world):
            fail_once(world, fault)
        world.rig.clock.advance(1.0)
    world.pass_time(3)

    picture = world.picture()
    assert (picture["commands"], picture["failed"]) == ([], [])
    assert world.state is (WorkflowState.PAUSING if kind is CommandKind.PAUSE else WorkflowState.STOPPING)


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_commands_in_doubt_are_applied_once(world: World, sequence: str) -> None:
    """A pause whose resume was applied with it does not count again, whoever dies before the resume could.

    Teeth: fails when `store.commit` does not compare what it deleted with what it was to end.
    """
    running(world)
    world.command(CommandKind.PAUSE)
    world.command(CommandKind.RESUME)

    with capture_logs() as logs:
        for fault in SEQUENCES[sequence]:
            with fault.during(world):
                fail_once(world, fault)
            world.rig.clock.advance(1.0)
        world.pass_time(3)

    repeated = [line for line in logs if line["event"] == "command.repeated"]
    assert bool(repeated) is (
        SEQUENCES[sequence][0] is LOST_REPLY
    )  # later ones meet what comes before commands
    assert world.state is WorkflowState.RUNNING
    assert (world.picture()["commands"], world.picture()["failed"]) == ([], [])


def test_a_run_that_only_an_online_touched_is_loaded_again_after_a_commit_in_doubt(world: World) -> None:
    """Nothing else speaks of it any more: without a reload its rows would ask for nothing.

    Teeth: fails when `Loop._reload` returns no `Continue` for what it forgot.
    """
    running(world)
    world.replace_worker("w1-2").online(world.slot)
    world.read()

    with LOST_REPLY.during(world):
        fail_once(world, LOST_REPLY)
    world.pass_time(2)

    assert world.rig.master.lanes.get(world.run) is not None
    assert world.worker.take() is not None, "the replacement was dispatched"


@dataclass(slots=True)
class InFlight:
    """A committer whose COMMIT goes on in the server after its reply was given up."""

    world: World
    let_go: Callable[[], bool]
    threads: list[threading.Thread]

    def commit(self, changes: Changes, leases: Leases) -> datetime:
        """Start the commit, wait until it stands before its COMMIT, and give up."""
        self.world.rig.committer = self.world.rig.commit
        reached = threading.Event()

        def before_commit(_connection: Any) -> None:
            if not reached.is_set():  # only the first commit is held up
                reached.set()
                self.let_go()

        event.listen(self.world.rig.engine, "commit", before_commit)
        thread = threading.Thread(target=self.world.rig.commit.commit, args=(changes, leases))
        thread.start()
        self.threads.append(thread)
        assert reached.wait(5.0)
        raise CommitInDoubt("no reply to COMMIT")


def test_the_reload_waits_for_the_transaction_in_doubt(postgres_engine: Engine) -> None:
    """The old transaction is still committing when the master asks: it hears what came of it.

    SQLite has no server that could go on with a transaction.

    Teeth: fails (a revision is lost) with `lock=False` in `Lanes.load`.
    """
    world = World(postgres_engine)
    entry = world.worker.result(running(world))
    world.read()
    let_go = threading.Event()
    committer = InFlight(world, lambda: let_go.wait(5.0), [])
    world.rig.committer = committer

    world.step()
    world.rig.clock.advance(1.0)
    threading.Timer(0.2, let_go.set).start()
    with capture_logs() as logs:
        world.pass_time(2)
    committer.threads[0].join(5.0)

    assert [line for line in logs if line["event"] in ("revision.lost", "store.unavailable")] == []
    assert [row.task for row in world.rows()] == ["first", "left", "right"]
    assert world.verdicts(entry) == 1
    world.assert_memory_equals_rows()


def test_a_connection_that_dies_behind_the_reply_parks_nothing(postgres_engine: Engine) -> None:
    """A server that is shut down ends its sessions right after what they were at: all is done, nothing is a bug.

    Teeth: fails (`lane.parked`, an ERROR with a traceback) when autocommit is taken back by a word to the server.
    """
    world = World(postgres_engine)
    world.worker.result(running(world), outputs={"n": 1})
    world.read()
    administration = create_engine(postgres_engine.url, isolation_level="AUTOCOMMIT")
    ended: list[int] = []

    def end(connection: Connection, _cursor: Any, statement: str, *_rest: Any) -> None:
        driver = connection.connection.dbapi_connection
        if "group_commit" in statement and driver is not None and driver.autocommit and not ended:
            ended.append(driver.info.backend_pid)
            with administration.connect() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": ended[0]})

    event.listen(world.rig.engine, "after_cursor_execute", end)
    with capture_logs() as logs:
        world.pass_time(3)
    event.remove(world.rig.engine, "after_cursor_execute", end)
    administration.dispose()

    assert ended, "no batch was one call"
    assert [line for line in logs if line["log_level"] == "error"] == []
    assert [row.task for row in world.rows()] == ["first", "left", "right"]
    world.assert_memory_equals_rows()
