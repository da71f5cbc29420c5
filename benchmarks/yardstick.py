"""Owns the plain Celery tasks that the product is measured against; the measured worker includes this module."""

import os
from functools import cached_property
from typing import Any

from celery import Task, shared_task
from celery.backends.redis import RedisBackend

RESULTS_URL = "BENCHMARK_RESULTS_URL"
"""Environment variable with the URL of the result backend that only the chain's yardstick has."""


class WithResults(Task):  # type: ignore[type-arg] # Celery's class is generic in its stubs only
    """A task with a Redis result backend in an app that has none."""

    abstract = True

    @cached_property
    def backend(self) -> Any:
        """The result backend."""
        return RedisBackend(app=self.app, url=os.environ[RESULTS_URL])


@shared_task(name="benchmarks.noop", ignore_result=True)
def noop() -> None:
    """Do nothing: the cheapest task that Celery can run."""


@shared_task(name="benchmarks.hop", ignore_result=False, base=WithResults)
def hop(value: int = 0) -> int:
    """Hand on a number: one link of a Celery chain with a result backend."""
    return value + 1
