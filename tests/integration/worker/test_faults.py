"""What a worker does when it, its children, its server or its name are treated badly."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from orchestrator.broker.generation import Generations
from orchestrator.broker.presence import Presence
from orchestrator.core.event import RejectReason, TaskResult, TaskRunning, WorkerOnline, WorkerReject
from orchestrator.core.status import TaskState
from orchestrator.worker.logs import read_log
from orchestrator.worker.slots import SLOTS
from tests.integration.worker.stage import Stage, wait_until

pytestmark = pytest.mark.integration


def pids_of(marker: str) -> list[int]:
    """Return the processes whose command line holds `marker`."""
    found = []
    for process in psutil.process_iter():
        try:
            if marker in " ".join(process.cmdline()):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize(
    ("type_", "spec", "params"),
    [
        ("shell", {"run": "/bin/sleep 7{0} & exec /bin/sleep 7{0}"}, {}),
        ("shell", {"run": "trap '' TERM HUP; /bin/sleep 7{0}"}, {}),
        ("python", {"script": "import os; os.execl('/bin/sleep', 'sleep', '7{0}')"}, {}),
        ("python", {"call": "attempts:start_and_wait"}, {"seconds": "7{0}"}),
    ],
)
def test_nothing_of_an_attempt_outlives_its_worker(
    stage: Stage, type_: str, spec: dict[str, str], params: dict[str, str]
) -> None:
    """`kill -9` of Celery's main process: within 6 s no process of the attempt is alive."""
    mark = str(os.getpid())
    worker = stage.start_worker()
    order = stage.order(
        type_,
        {name: text.format(mark) for name, text in spec.items()},
        params={name: text.format(mark) for name, text in params.items()},
    )
    stage.publish(order)
    wait_until(lambda: pids_of(f"sleep 7{mark}"), what="the attempt's program")

    worker.send_signal(signal.SIGKILL)
    worker.wait()

    wait_until(lambda: not pids_of(f"sleep 7{mark}"), 6, what="the end of the attempt's program")


def test_successor_sends_what_its_predecessor_left_and_then_says_online(stage: Stage) -> None:
    """I15: reports without a verdict survive the worker; ONLINE comes behind them."""
    worker = stage.start_worker(ORCHESTRATOR_RESEND_SECONDS="30")
    stage.verdict = ""
    order = stage.order("noop")
    stage.publish(order)
    stage.result(order)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    stage.client.flushall()

    stage.start_worker()
    slot = order.workflow_instance_id % SLOTS
    events = wait_until(lambda: len(found := stage.waiting(slot)) == 3 and found, what="reports and ONLINE")

    assert events
    assert [type(one) for one in events] == [TaskRunning, TaskResult, WorkerOnline]
    assert events[0].incarnation == events[1].incarnation != events[2].incarnation


def test_reports_are_sent_again_after_redis_was_wiped(stage: Stage) -> None:
    """I15: events without a verdict whose stream entries are gone come again; others do not."""
    stage.start_worker()
    stage.verdict = ""
    order = stage.order("noop")
    stage.publish(order)
    stage.result(order)
    stage.client.flushall()
    stage.stream.ensure_groups(range(SLOTS))
    stage.events.clear()
    stage.verdict = "ok"

    assert stage.result(order).state is TaskState.SUCCESS
    wait_until(lambda: (beat := stage.beat()) and beat.spooled == 0 and beat.resent >= 2)


def test_unanswered_reports_whose_entries_are_there_are_not_multiplied(stage: Stage) -> None:
    """An outage of the master does not multiply events."""
    stage.start_worker()
    stage.verdict = ""
    order = stage.order("noop")
    stage.publish(order)
    stage.result(order)
    beats: set[object] = set()

    def has_beaten(times: int) -> bool:
        beats.add(stage.client.zscore(stage.keys.workers(), "w1@test"))
        return len(beats) > times

    wait_until(lambda: has_beaten(8))

    stage.read()
    assert [type(one) for one in stage.about(order)] == [TaskRunning, TaskResult]


def test_second_worker_of_a_name_is_refused(stage: Stage) -> None:
    """Two live workers of one name would share a spool: the second ends with a clear message."""
    stage.start_worker()
    second = stage.launch_worker()

    assert second.wait(20) == 1
    assert "a worker named 'w1@test' already runs here" in (stage.home / "w1@test.out").read_text()


def test_graceful_stop_waits_for_the_attempt_and_signs_off(stage: Stage, tmp_path: Path) -> None:
    """A warm shutdown under a running attempt: it ends, is reported, and the worker is forgotten."""
    worker = stage.start_worker()
    door = tmp_path / "door"
    wait = f"until [ -e '{door}' ]; do sleep 0.05; done"
    order = stage.order("shell", {"run": f"{wait}; echo x=1 >> $ORCHESTRATOR_OUTPUT"})
    stage.publish(order)
    stage.event(order, TaskRunning)

    worker.send_signal(signal.SIGTERM)
    wait_until(lambda: (beat := stage.beat()) and beat.state == "draining")
    door.touch()

    assert stage.result(order).outputs == {"x": 1}
    assert worker.wait(20) == 0
    assert stage.beat() is None


def test_drained_worker_gives_back_what_it_gets(stage: Stage) -> None:
    """`workers drain`: WORKER_REJECT instead of a start, until it is resumed."""
    stage.start_worker()
    presence = Presence(stage.client, stage.keys)
    presence.drain("w1@test")
    wait_until(lambda: (beat := stage.beat()) and beat.state == "draining")
    order = stage.order("noop")
    stage.publish(order)

    assert stage.event(order, WorkerReject).reason is RejectReason.DRAINING
    presence.resume("w1@test")
    wait_until(lambda: (beat := stage.beat()) and beat.state == "online")
    assert stage.run("noop").state is TaskState.SUCCESS


def test_overloaded_worker_gives_back_what_it_gets(stage: Stage) -> None:
    """Above a threshold of the settings nothing starts; the reject says which."""
    stage.start_worker(ORCHESTRATOR_WORKER_MEMORY_LIMIT="0.0001")
    order = stage.order("noop")
    stage.publish(order)
    reject = stage.event(order, WorkerReject)

    assert reject.reason is RejectReason.OVERLOAD
    assert "memory" in reject.detail


def test_stale_verdict_ends_the_attempt(stage: Stage) -> None:
    """The last way to hear of a stop: the verdict on RUNNING."""
    stage.start_worker()
    stage.verdict = "stale"
    order = stage.order("shell", {"run": "sleep 600"})
    stage.publish(order)

    assert stage.result(order, 10).state is TaskState.KILLED


@pytest.mark.parametrize("point", ["worker.after_claim", "worker.after_execute"])
def test_child_that_dies_before_its_report_is_reported_by_its_parent(stage: Stage, point: str) -> None:
    """After the claim nobody else may run it: the parent says that the child died."""
    stage.start_worker(ORCHESTRATOR_CRASH_AT=point)
    result = stage.run("noop")

    assert (result.error, result.reason) == ("ChildDied", "worker child died: exit code 137")


@pytest.mark.parametrize("point", ["worker.after_spool", "worker.after_send"])
def test_child_that_dies_after_its_report_was_spooled_loses_nothing(stage: Stage, point: str) -> None:
    """What stands in the spool is sent, by whomever."""
    stage.start_worker(ORCHESTRATOR_CRASH_AT=point)
    result = stage.run("noop")

    assert result.state is TaskState.SUCCESS


def test_child_that_dies_before_its_claim_gives_the_message_back(stage: Stage) -> None:
    """Nothing was claimed: the same message starts elsewhere, here in the next child."""
    stage.start_worker("w1@test", "-c", "1", ORCHESTRATOR_CRASH_AT="worker.before_claim:2")
    first, second = stage.order("noop"), stage.order("noop")
    stage.publish(first, second)

    assert stage.result(first).state is TaskState.SUCCESS
    assert stage.result(second).state is TaskState.SUCCESS


def test_thread_pool_runs_stops_and_logs(stage: Stage) -> None:
    """Pools of threads work too: output by thread, stop by an exception in the thread."""
    stage.start_worker("w1@test", "-P", "threads", "-c", "3")
    added = stage.run("python", {"call": "attempts:add"}, params={"a": 1, "b": 2})
    order = stage.order("python", {"call": "attempts:spin"})
    stage.publish(order)
    stage.event(order, TaskRunning)
    stage.stop_attempt(order)

    assert added.outputs == {"result": 3}
    assert "adding" in [one.text for one in read_log(Path(added.log_path or ""))]
    assert stage.run("shell", {"run": "true"}).state is TaskState.SUCCESS
    assert stage.result(order).state is TaskState.KILLED


def test_solo_pool_runs(stage: Stage) -> None:
    """One process without children works too."""
    stage.start_worker("w1@test", "-P", "solo")

    assert stage.run("shell", {"run": "echo x=1 >> $ORCHESTRATOR_OUTPUT"}).outputs == {"x": 1}


def test_worker_never_opens_the_database(stage: Stage) -> None:
    """A database URL that nobody could open changes nothing."""
    stage.start_worker_anew(
        ORCHESTRATOR_DATABASE_URL="postgresql://nobody:x@127.0.0.1:1/none?connect_timeout=1"
    )
    result = stage.run("python", {"call": "attempts:imported"})

    assert result.outputs == {"result": []}


def test_cut_off_worker_ends_its_tasks_where_that_is_wanted(stage: Stage) -> None:
    """`on_partition: kill`: no heartbeat got through for the loss limit less a margin."""
    stage.start_worker(ORCHESTRATOR_ON_PARTITION="kill")
    mark = f"8{os.getpid()}"
    order = stage.order("shell", {"run": f"/bin/sleep {mark}"})
    stage.publish(order)
    stage.event(order, TaskRunning)
    wait_until(lambda: pids_of(f"sleep {mark}"))

    stage.pause_redis(6)

    wait_until(lambda: not pids_of(f"sleep {mark}"), 12, what="the end of the cut-off attempt")
    assert stage.result(order).error == "ChildDied"


def test_orders_survive_a_redis_that_is_away_for_a_while(stage: Stage) -> None:
    """Attempts go on without Redis, and their reports come when it answers again."""
    stage.start_worker()
    order = stage.order("shell", {"run": "sleep 1; echo done=1 >> $ORCHESTRATOR_OUTPUT"})
    stage.publish(order)
    stage.event(order, TaskRunning)

    stage.pause_redis(3)

    assert stage.result(order).outputs == {"done": 1}


def test_new_generation_lets_orders_start_again(stage: Stage) -> None:
    """After a wipe and a new generation the same worker goes on."""
    stage.start_worker()
    stage.client.flushall()
    stage.stream.ensure_groups(range(SLOTS))
    stage.generation = Generations(stage.client, stage.keys).ensure()[0]

    assert stage.run("noop").state is TaskState.SUCCESS
