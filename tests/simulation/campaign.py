"""Owns many simulations at once, and the document that sums them up (INTERFACE section 5)."""

import multiprocessing
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from tests.simulation import workload
from tests.simulation.database import Database
from tests.simulation.simulation import Outcome, simulate
from tests.simulation.story import quiet

CHUNK = 50


def run_seeds(seeds: Iterable[int], processes: int = 1) -> list[Outcome]:
    """Run these seeds, some at the same time; return their outcomes in order.

    Args:
        seeds: The seeds.
        processes: How many processes share the work.
    """
    numbers = list(seeds)
    size = max(min(CHUNK, -(-len(numbers) // max(processes, 1))), 1)
    chunks = [numbers[begin : begin + size] for begin in range(0, len(numbers), size)]
    if processes <= 1 or len(chunks) == 1:
        return [outcome for chunk in chunks for outcome in _run(chunk)]
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawning, initializer=quiet) as pool:
        return [outcome for outcomes in pool.map(_run, chunks) for outcome in outcomes]


def _run(seeds: Sequence[int]) -> list[Outcome]:
    quiet()
    database = Database()
    return [simulate(workload.draw(seed), database) for seed in seeds]


def document(first: int, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return what the command prints with `--json`."""
    violations = [f"seed {one.seed}: {line}" for one in outcomes for line in one.violations]
    recoveries = sorted(one.recovery_s for one in outcomes)
    return {
        "seed": first,
        "simulations": len(outcomes),
        "attempts": sum(one.attempts for one in outcomes),
        "workflows": sum(one.workflows for one in outcomes),
        "faults": dict(sorted(sum((one.faults for one in outcomes), Counter()).items())),
        "violations": violations,
        "lost": sum("O1" in line for line in violations),
        "doubled": sum("O3" in line or "O4" in line for line in violations),
        "stuck": sum("O5" in line for line in violations),
        "recovery_s": {"p50": _share(recoveries, 0.5), "p99": _share(recoveries, 0.99)},
    }


def _share(values: Sequence[float], share: float) -> float:
    return round(values[min(int(len(values) * share), len(values) - 1)], 1) if values else 0.0
