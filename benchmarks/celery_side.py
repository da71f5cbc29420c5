"""Owns the yardsticks' side: plain Celery messages to the same worker, over the same broker."""

import time

from celery import Celery, chain
from redis import Redis

from benchmarks.waiting import wait_for
from benchmarks.yardstick import hop, noop
from orchestrator.config import Settings
from orchestrator.worker.celery_defaults import defaults

QUEUE = "default"
QUIET_LOOKS = 3
"""A message is in neither place for one round trip: the broker is empty when it was so this often in a row."""


class CelerySide:
    """A Celery app with the product's settings, used as any program would use Celery.

    Args:
        settings: Of the product.
        redis: Client of the broker, to see when it is empty.
    """

    def __init__(self, settings: Settings, redis: Redis) -> None:
        self._redis = redis
        self._queue = f"{settings.key_prefix}{QUEUE}"
        self._unacknowledged = f"{settings.key_prefix}unacked"
        self._app = _app(settings)

    def apply_async_seconds(self, count: int) -> float:
        """Send `count` no-ops in a plain loop; return the seconds until the worker has acknowledged the last."""
        task = self._app.tasks[noop.name]
        started = time.perf_counter()
        for _ in range(count):
            task.apply_async(queue=QUEUE)
        return self._drained() - started

    def chain_seconds(self, hops: int) -> float:
        """Run a Celery chain of `hops` tasks with a Redis result backend; return the seconds to its result."""
        task = self._app.tasks[hop.name]
        links = [task.s(0), *(task.s() for _ in range(hops - 1))]
        started = time.perf_counter()
        result = chain(*links).apply_async(queue=QUEUE)
        answer = result.get(timeout=120)
        seconds = time.perf_counter() - started
        if answer != hops:
            raise RuntimeError(f"the chain of {hops} answered {answer}")
        return seconds

    def _drained(self) -> float:
        """Wait until the broker is empty; return the moment when it was first seen so."""
        moments: list[float] = []

        def look() -> bool:
            if self._waiting():
                moments.clear()
            else:
                moments.append(time.perf_counter())
            return len(moments) >= QUIET_LOOKS

        wait_for(look, "the worker to drain the queue", every_s=0.002)
        return moments[0]

    def _waiting(self) -> int:
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.llen(self._queue)
        pipeline.hlen(self._unacknowledged)
        return sum(pipeline.execute())


def _app(settings: Settings) -> Celery:
    app = Celery("benchmarks", set_as_current=False)
    app.add_defaults(lambda: defaults(settings))
    app.finalize()  # shared tasks register themselves with every app that is finalised
    return app
