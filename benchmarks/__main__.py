"""Owns the command line of the benchmarks: `python -m benchmarks NAME... [--rounds N] [--json]`."""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks import chain, events, fanout
from benchmarks.bench import Bench, Benchmark
from benchmarks.celery_side import CelerySide
from benchmarks.environment import describe
from benchmarks.measurement import Measurement
from benchmarks.rig import Rig
from benchmarks.runs import Runs, noop
from benchmarks.waiting import wait_for
from orchestrator.broker.connection import open_redis
from orchestrator.config import load_settings
from orchestrator.errors import OrchestratorError
from orchestrator.service.backend import Backend

BENCHMARKS: dict[str, tuple[Benchmark, int]] = {
    "fanout": (fanout.measure, 5),
    "chain": (chain.measure, 5),
    "events": (events.measure, 3),
}
"""Each benchmark, and how many rounds it takes by default."""

WARM_UP = "benchmark_warm_up"
WARM_UP_MESSAGES = 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line names; return 0, or 3 when the rig did not work."""
    options = _parser().parse_args(arguments)
    names = list(BENCHMARKS) if "all" in options.names else list(dict.fromkeys(options.names))
    environment = describe()
    try:
        measurements = _measure(names, options.rounds)
    except (OrchestratorError, RuntimeError, TimeoutError, OSError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 3
    if options.json:
        print(json.dumps([one.document(environment) for one in measurements]))
    else:
        print("\n".join(line for one in measurements for line in one.lines()))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure beside a yardstick, on private servers that this program starts and stops.",
        epilog="Example: python -m benchmarks fanout chain --rounds 3",
    )
    parser.add_argument(
        "names", nargs="+", choices=[*BENCHMARKS, "all"], metavar="NAME", help=", ".join(BENCHMARKS)
    )
    parser.add_argument("--rounds", type=_positive, help="rounds of each; by default what each needs")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    return parser


def _positive(text: str) -> int:
    number = int(text) if text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of rounds: 1 or more")
    return number


def _measure(names: Sequence[str], rounds: int | None) -> list[Measurement]:
    with tempfile.TemporaryDirectory(prefix="bench-") as directory, _bench(Path(directory)) as bench:
        measurements = []
        for name in names:
            benchmark, default_rounds = BENCHMARKS[name]
            print(f"{name} …", file=sys.stderr)
            measurements.append(benchmark(bench, rounds or default_rounds))
        return measurements


@contextmanager
def _bench(directory: Path) -> Iterator[Bench]:
    """Start everything, send the first tasks through both sides, and end everything."""
    with Rig(directory, concurrency=os.cpu_count() or 1) as rig:
        settings = load_settings()
        rig.start_master()
        rig.start_worker()
        backend = Backend(settings)
        wait_for(lambda: _has_schema(backend), "the master to bring the schema up to date", every_s=0.1)
        with closing(open_redis(rig.redis_url)) as redis:
            bench = Bench(
                rig=rig,
                backend=backend,
                runs=Runs(backend),
                celery=CelerySide(settings, redis),
            )
            try:
                _warm_up(bench)
                yield bench
            except TimeoutError as error:
                raise RuntimeError(f"{error}\n{rig.last_words()}") from error


def _has_schema(backend: Backend) -> bool:
    try:
        return backend.engine is not None
    except OrchestratorError:
        return False


def _warm_up(bench: Bench) -> None:
    bench.runs.deploy(WARM_UP, [noop("first"), noop("second", "first")])
    bench.runs.seconds(WARM_UP)
    bench.celery.apply_async_seconds(WARM_UP_MESSAGES)
    bench.celery.chain_seconds(2)


if __name__ == "__main__":
    sys.exit(main())
