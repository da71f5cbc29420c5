"""Owns what every benchmark gets: the rig, and both sides that are compared on it."""

from dataclasses import dataclass
from typing import Protocol

from benchmarks.celery_side import CelerySide
from benchmarks.measurement import Measurement
from benchmarks.rig import Rig
from benchmarks.runs import Runs
from orchestrator.service.backend import Backend


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One rig with everything that stands on it.

    Attributes:
        rig: The servers, the master, the worker.
        backend: The product's services on these servers.
        runs: Runs of the product.
        celery: The yardsticks.
    """

    rig: Rig
    backend: Backend
    runs: Runs
    celery: CelerySide


class Benchmark(Protocol):
    """A benchmark: takes a bench with a master and a worker that run, and measures some rounds."""

    def __call__(self, bench: Bench, rounds: int) -> Measurement:
        """Measure `rounds` rounds, each with its yardstick."""
        ...
