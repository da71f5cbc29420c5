"""Owns the benchmark `chain`: a hundred no-ops, each after the one before."""

from benchmarks.bench import Bench
from benchmarks.measurement import Bar, Measurement
from benchmarks.runs import noop

HOPS = 100
NAME = "benchmark_chain"
BAR = Bar(yardstick="celery_chain", comparison="<=", limit=2.5)


def measure(bench: Bench, rounds: int) -> Measurement:
    """Measure milliseconds per hop beside Celery's `chain` with a Redis result backend."""
    links = [f"link_{number}" for number in range(HOPS)]
    needs = [(), *((name,) for name in links)]
    bench.runs.deploy(NAME, [noop(name, *before) for name, before in zip(links, needs, strict=False)])
    values, yardstick = [], []
    for _ in range(rounds):
        yardstick.append(1000 * bench.celery.chain_seconds(HOPS) / HOPS)
        values.append(1000 * bench.runs.seconds(NAME) / HOPS)
    return Measurement(
        name="chain",
        unit="ms/hop",
        values=values,
        yardsticks={"celery_chain": yardstick},
        bar=BAR,
        details={"hops": HOPS, "worker_concurrency": bench.rig.concurrency},
    )
