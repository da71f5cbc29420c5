"""Owns a stage for real workers: a private Redis, `celery worker` processes, and a master reduced to verdicts."""

import os
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from celery import Celery

from orchestrator.broker import codec
from orchestrator.broker.connection import celery_broker_url, open_redis
from orchestrator.broker.generation import Generations
from orchestrator.broker.inbox import Stops
from orchestrator.broker.keys import Keys
from orchestrator.broker.presence import Presence, WorkerBeat
from orchestrator.broker.publish import Publisher
from orchestrator.broker.stream import EventStream
from orchestrator.config import load_settings
from orchestrator.core.event import TaskResult, WorkerEvent
from orchestrator.core.order import Order
from orchestrator.worker.celery_defaults import defaults
from orchestrator.worker.slots import SLOTS
from tests.programs import Program, Start, start_anew

T = TypeVar("T")

ROOT = Path(__file__).parents[3]
LIMIT_S = 30.0
CHILDREN = ("-c", "2")


def wait_until(look: Callable[[], T], limit_s: float = LIMIT_S, what: str = "the condition") -> T:
    """Return the first true value of `look`, or fail after `limit_s` seconds."""
    until, pause = time.monotonic() + limit_s, threading.Event()
    while time.monotonic() < until:
        if value := look():
            return value
        pause.wait(0.02)
    raise AssertionError(f"{what} did not come true within {limit_s} s")


class Stage:
    """Starts workers, publishes orders and collects reports.

    Args:
        home: Everything is written below it.
        redis_url: The server.
    """

    def __init__(self, home: Path, redis_url: str) -> None:
        self.home = home
        self.url = redis_url
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")},
            "ORCHESTRATOR_HOME": str(home),
            "ORCHESTRATOR_REDIS_URL": redis_url,
            "SHOP_BROKER": celery_broker_url(redis_url),
            "ORCHESTRATOR_HEARTBEAT_SECONDS": "0.3",
            "ORCHESTRATOR_LOST_SECONDS": "3",
            "ORCHESTRATOR_RESEND_SECONDS": "1",
            "ORCHESTRATOR_KILL_SECONDS": "1",
            "PYTHONPATH": f"{ROOT}{os.pathsep}{Path(__file__).parent}",
        }
        self.settings = load_settings(self.environment)
        self.keys = Keys(self.settings.key_prefix)
        self.client = open_redis(redis_url, block_s=2)
        self.stream = EventStream(self.client, self.keys, "stage")
        self.stream.ensure_groups(range(SLOTS))
        self.generation = Generations(self.client, self.keys).ensure()[0]
        app = Celery("stage", set_as_current=False)
        app.conf.update(defaults(self.settings), broker_url=celery_broker_url(redis_url))
        self.publisher = Publisher(app)
        self.app = Celery("shop", broker=celery_broker_url(redis_url), set_as_current=False)
        self.events: list[WorkerEvent] = []
        self.verdict = "ok"
        self.workers: list[Program | subprocess.Popen[bytes]] = []
        self._count = secrets.randbelow(2**31)  # a child of the stage before may still say something

    def start_worker(self, name: str = "w1@test", *options: str, **settings: str) -> Program:
        """Start `celery -A orchestrator worker` and wait until it beats."""
        worker = self.launch_worker(name, *options, **settings)
        wait_until(lambda: self._beats(name, worker), what="the worker's heartbeat")
        return worker

    def start_shop(self, name: str = "w1@test", *options: str, **settings: str) -> Program:
        """Start the worker of an application of its own, as its owners do, and wait until it beats."""
        worker = self.launch(name, ("-A", "shop"), *options, **settings)
        wait_until(lambda: self._beats(name, worker), what="the worker's heartbeat")
        return worker

    def start_worker_anew(self, name: str = "w1@test", **settings: str) -> None:
        """Do as `start_worker`, by a program that has imported nothing but what it needs."""
        worker = start_anew(
            self._worker(name, ("-A", "orchestrator"), ("-Q", "default", *CHILDREN), settings)
        )
        self.workers.append(worker)
        wait_until(lambda: self._beats(name, worker), what="the worker's heartbeat")

    def launch_worker(self, name: str = "w1@test", *options: str, **settings: str) -> Program:
        """Start `celery -A orchestrator worker` and do not wait."""
        return self.launch(name, ("-A", "orchestrator"), "-Q", "default", *(options or CHILDREN), **settings)

    def launch(self, name: str, app: tuple[str, str], *options: str, **settings: str) -> Program:
        """Start the worker of an application and do not wait."""
        worker = Program(self._worker(name, app, options, settings))
        self.workers.append(worker)
        return worker

    def order(self, type_: str, spec: dict[str, Any] | None = None, **fields: Any) -> Order:
        """Return a new order for the group `default`."""
        self._count += 1
        values: dict[str, Any] = {
            "workflow_instance_id": self._count, "workflow": "flow", "task": "one", "attempt": 1,
            "dispatch": 1, "ticket": secrets.token_hex(4), "type": type_, "spec": spec or {},
        }  # fmt: skip
        return Order(**{**values, **fields})

    def publish(self, *orders: Order) -> None:
        """Hand orders over to Celery."""
        self.publisher.publish(orders, self.generation)

    def run(self, type_: str, spec: dict[str, Any] | None = None, **fields: Any) -> TaskResult:
        """Publish one order and return its RESULT."""
        order = self.order(type_, spec, **fields)
        self.publish(order)
        return self.result(order)

    def result(self, order: Order, limit_s: float = LIMIT_S) -> TaskResult:
        """Return the RESULT of an order."""
        return self.event(order, TaskResult, limit_s)

    def event(self, order: Order, kind: type[T], limit_s: float = LIMIT_S) -> T:
        """Return the first event of that kind about an order."""

        def look() -> T | None:
            self.read()
            return next((one for one in self.about(order) if isinstance(one, kind)), None)

        found = wait_until(look, limit_s, what=f"{kind.__name__} of {order.id}")
        assert found is not None
        return found

    def about(self, order: Order) -> list[WorkerEvent]:
        """Return the events about an order that were read so far."""
        token = (order.workflow_instance_id, order.task, order.attempt, order.dispatch)
        return [
            one
            for one in self.events
            if (
                getattr(one, "workflow_instance_id", None), getattr(one, "task", None),
                getattr(one, "attempt", None), getattr(one, "dispatch", None),
            ) == token
        ]  # fmt: skip

    def read(self) -> None:
        """Take what is in the streams and give the verdict on it."""
        entries = self.stream.read(range(SLOTS), count=100)
        self.events += [codec.decode(one.payload) for one in entries if one.payload]
        if entries and self.verdict:
            self.stream.acknowledge([(one, self.verdict) for one in entries])

    def beat(self, name: str = "w1@test") -> WorkerBeat | None:
        """Return a worker's last heartbeat."""
        living = Presence(self.client, self.keys).living()[1]
        return next((beat for beat, _ in living if beat.name == name), None)

    def pause_redis(self, seconds: float) -> None:
        """Let the server answer nobody for a while."""
        command: Any = self.client.execute_command
        command("CLIENT", "PAUSE", str(int(seconds * 1000)), "ALL")

    def waiting(self, slot: int) -> list[WorkerEvent]:
        """Return the events in the stream of a slot, read by nobody or not."""
        entries: Any = self.client.xrange(self.keys.events(slot))
        return [codec.decode(fields[b"p"]) for _, fields in entries]

    def stop_attempt(self, order: Order, name: str = "w1@test") -> None:
        """Ask for the end of an attempt."""
        Stops(self.client, self.keys).request(name, [order.id], "stop")

    def close(self) -> None:
        """End every worker."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGKILL)
                worker.wait()
        self.publisher.close()
        self.app.close()
        self.client.close()

    def _worker(
        self, name: str, app: tuple[str, str], options: tuple[str, ...], settings: dict[str, str]
    ) -> Start:
        output = self.home / f"{name}.out"
        return Start(
            arguments=("celery", *app, "worker", "-n", name, *(options or CHILDREN)),
            environment={**self.environment, **settings},
            directory=self.home,
            output=output,
            errors=output,
        )

    def _beats(self, name: str, worker: Program | subprocess.Popen[bytes]) -> bool:
        assert worker.poll() is None, (self.home / f"{name}.out").read_text()
        beat = self.beat(name)
        return beat is not None and beat.pid == worker.pid
