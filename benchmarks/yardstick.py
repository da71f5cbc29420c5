"""Owns the plain Celery tasks that the product is measured against; the measured worker includes this module."""

from celery import current_app, shared_task

RESULTS_URL = "BENCHMARK_RESULTS_URL"
"""Environment variable with the Redis URL of the result backend that only the chain's yardstick has."""


@shared_task(name="benchmarks.noop", ignore_result=True)
def noop() -> None:
    """Do nothing: the cheapest task that Celery can run."""


@shared_task(name="benchmarks.hop", ignore_result=False)
def hop(value: int = 0) -> int:
    """Hand on a number: one link of a Celery chain with a result backend."""
    return value + 1
