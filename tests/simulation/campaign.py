"""Owns many simulations at once, and the document that sums them up (INTERFACE section 5)."""

import gc
import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

from tests.simulation import workload
from tests.simulation.database import Database
from tests.simulation.simulation import Outcome, examine
from tests.simulation.story import quiet

CHUNK = 50

SAYINGS: Mapping[str, tuple[str, ...]] = {
    "lost": ("is LOST", "came to its end 0 times", "has no attempt"),
    "doubled": ("O3", "O4"),
    "stuck": ("O5", "ENDLESS", "Endless"),
}
"""What a violation says that counts as lost, doubled or stuck; the first that fits, and the rest as `other`."""

OTHER = "other"


def run_seeds(seeds: Iterable[int], processes: int = 1) -> list[Outcome]:
    """Run these seeds, some at the same time; return their outcomes in order.

    A seed that crashes, or never ends, has that for its violation.

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
    database, outcomes = Database(), []
    with swept_between() as sweep:
        for seed in seeds:
            outcomes.append(examine(workload.draw(seed), database))
            if outcomes[-1].crashed:
                database = Database()  # who knows what it was left in
            sweep()
    return outcomes


@contextmanager
def swept_between() -> Iterator[Callable[[], object]]:
    """Collect garbage between simulations only, when the function is called: meanwhile next to none is made."""

    def sweep() -> None:
        gc.collect()
        gc.freeze()  # what is still there, the programs and the engine, stays anyway

    sweep()
    gc.disable()
    try:
        yield sweep
    finally:
        gc.enable()
        gc.unfreeze()


def document(first: int, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return what the command prints with `--json`."""
    lines = [(one.seed, line) for one in outcomes for line in one.violations]
    counts = Counter(kind_of(line) for _, line in lines)
    recoveries = sorted(one.recovery_s for one in outcomes if one.recovery_s is not None)
    return {
        "seed": first,
        "simulations": len(outcomes),
        "attempts": sum(one.attempts for one in outcomes),
        "workflows": sum(one.workflows for one in outcomes),
        "faults": dict(sorted(sum((one.faults for one in outcomes), Counter()).items())),
        "violations": [f"seed {seed}: {line}" for seed, line in lines],
        **{kind: counts[kind] for kind in (*SAYINGS, OTHER)},
        "recovery_s": {"p50": _share(recoveries, 0.5), "p99": _share(recoveries, 0.99)},
    }


def kind_of(violation: str) -> str:
    """Return what a violation counts as: `lost`, `doubled`, `stuck` or `other`; each counts once."""
    for kind, sayings in SAYINGS.items():
        if any(saying in violation for saying in sayings):
            return kind
    return OTHER


def _share(values: Sequence[float], share: float) -> float:
    return round(values[min(int(len(values) * share), len(values) - 1)], 1) if values else 0.0
