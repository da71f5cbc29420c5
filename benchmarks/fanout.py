"""Owns the benchmark `fanout`: one task, then 2000 at once, then one that joins them; all of them no-ops."""

from benchmarks.bench import Bench
from benchmarks.measurement import Bar, Measurement
from benchmarks.runs import noop

WIDTH = 2000
NAME = "benchmark_fanout"
BAR = Bar(yardstick="apply_async", comparison=">=", limit=0.6)


def measure(bench: Bench, rounds: int) -> Measurement:
    """Measure tasks per second beside a plain loop of `apply_async` on the same worker and servers."""
    middle = [f"middle_{number}" for number in range(WIDTH)]
    bench.runs.deploy(NAME, [noop("first"), *(noop(name, "first") for name in middle), noop("last", *middle)])
    values, yardstick = [], []
    for _ in range(rounds):
        yardstick.append(WIDTH / bench.celery.apply_async_seconds(WIDTH))
        values.append((WIDTH + 2) / bench.runs.seconds(NAME))
    return Measurement(
        name="fanout",
        unit="tasks/s",
        values=values,
        yardsticks={"apply_async": yardstick},
        bar=BAR,
        details={"tasks": WIDTH + 2, "worker_concurrency": bench.rig.concurrency},
    )
