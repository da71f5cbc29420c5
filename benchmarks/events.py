"""Owns the benchmark `events`: a master alone, with 100,000 reports waiting for it, on PostgreSQL with fsync."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, text

from benchmarks.bench import Bench
from benchmarks.celery_side import QUEUE
from benchmarks.measurement import Bar, Measurement
from benchmarks.runs import noop
from benchmarks.waiting import wait_for
from orchestrator.broker.codec import encode
from orchestrator.broker.connection import open_redis
from orchestrator.broker.keys import Keys
from orchestrator.broker.sender import EventSender, Outgoing
from orchestrator.broker.stream import EventStream
from orchestrator.core.event import TaskResult, TaskRunning, WorkerEvent
from orchestrator.core.status import TaskState, WorkflowState

RUNS = 50
TASKS = 1000
EVENTS = 2 * RUNS * TASKS
SLOTS = range(64)
NAME = "benchmark_events"
WORKER, INCARNATION = "reporter@benchmark", "benchmark"
Attempt = Row[int, int, str, int, int, str]
BAR = Bar(yardstick=None, comparison=">=", limit=8000)

COUNT = text("SELECT count(*) FROM task_instance WHERE workflow_instance_id = ANY(:runs)")
HAND_OVER = text(
    "UPDATE task_instance SET state = 'DISPATCHED', dispatched_at = clock_timestamp() "
    "WHERE workflow_instance_id = ANY(:runs)"
)
ATTEMPTS = text(
    "SELECT i.id, i.slot, t.task, t.attempt, t.dispatch, t.ticket FROM task_instance t "
    "JOIN workflow_instance i ON i.id = t.workflow_instance_id WHERE i.id = ANY(:runs) ORDER BY i.id, t.sequence"
)


def measure(bench: Bench, rounds: int) -> Measurement:
    """Measure events per second from the first verdict to the last, of a master that finds them all waiting."""
    bench.rig.stop_worker()
    bench.runs.deploy(NAME, [noop(f"task_{number}") for number in range(TASKS)])
    values = [EVENTS / _seconds(bench) for _ in range(rounds)]
    bench.rig.start_worker()
    return Measurement(
        name="events",
        unit="events/s",
        values=values,
        bar=BAR,
        details={"events": EVENTS, "workflow_instances": RUNS, "fsync": True},
    )


def _seconds(bench: Bench) -> float:
    client = open_redis(bench.rig.redis_url, answer_timeout_s=30)
    keys = Keys(bench.backend.settings.key_prefix)
    stream = EventStream(client, keys, "observer")
    runs = _hand_over(bench)
    _report(EventSender(client, keys), _attempts(bench, runs))
    bench.rig.start_master()
    try:
        seconds = _drain_seconds(stream)
        wait_for(lambda: _all_ended(bench, runs), "the runs to end", every_s=0.1)
    finally:
        client.delete(keys.inbox(WORKER), f"{keys.prefix}{QUEUE}")
        client.close()
    return seconds


def _hand_over(bench: Bench) -> list[int]:
    """Start the runs and leave them as a master does that dies when everything is with the workers."""
    runs = [bench.runs.submit(NAME) for _ in range(RUNS)]

    def all_submitted() -> bool:
        with bench.backend.engine.connect() as connection:
            return int(connection.execute(COUNT, {"runs": runs}).scalar_one()) == EVENTS // 2

    wait_for(all_submitted, "the attempts to be submitted", every_s=0.2)
    bench.rig.stop_master()
    with bench.backend.engine.begin() as connection:
        connection.execute(HAND_OVER, {"runs": runs})
    return runs


def _attempts(bench: Bench, runs: Sequence[int]) -> list[Attempt]:
    with bench.backend.engine.connect() as connection:
        return list(connection.execute(ATTEMPTS, {"runs": list(runs)}))


def _report(sender: EventSender, attempts: Sequence[Attempt]) -> None:
    for first in range(0, len(attempts), TASKS):
        sender.send_all(list(_reports(attempts[first : first + TASKS])))


def _reports(attempts: Sequence[Attempt]) -> Iterator[Outgoing]:
    """Yield RUNNING and RESULT of each attempt, as one worker would have sent them."""
    for run, slot, task, attempt, dispatch, ticket in attempts:
        token: dict[str, Any] = {
            "workflow_instance_id": run,
            "task": task,
            "attempt": attempt,
            "dispatch": dispatch,
            "ticket": ticket,
            "worker": WORKER,
            "incarnation": INCARNATION,
            "at": datetime.now(UTC),
            "host": "benchmark",
            "pid": 1,
        }
        events: list[WorkerEvent] = [TaskRunning(**token), TaskResult(**token, state=TaskState.SUCCESS)]
        for number, event in enumerate(events):
            yield Outgoing(slot=slot, worker=WORKER, spool_id=number, payload=encode(event))


def _drain_seconds(stream: EventStream) -> float:
    """Return the seconds from the moment when all events were last there to the moment when none is."""
    full_at = time.perf_counter()

    def drained() -> bool:
        nonlocal full_at
        waiting = sum(stream.lag(SLOTS).values())
        if waiting >= EVENTS:
            full_at = time.perf_counter()
        return waiting == 0

    wait_for(drained, "the master to handle all events", within_s=300, every_s=0.01)
    return time.perf_counter() - full_at


def _all_ended(bench: Bench, runs: Sequence[int]) -> bool:
    return all(bench.runs.state(run) is WorkflowState.SUCCESS for run in runs)
