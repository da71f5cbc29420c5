"""Owns the command line: `python -m tests.simulation --seeds N`, and `--seed N --trace` to see one of them."""

import argparse
import json
import os
import sys
from collections.abc import Sequence

from tests.simulation import workload
from tests.simulation.campaign import document, run_seeds
from tests.simulation.database import Database
from tests.simulation.plan import Plan
from tests.simulation.shrink import shrink
from tests.simulation.simulation import Outcome, simulate
from tests.simulation.story import Story, describe, listening

HASH_SEED = "PYTHONHASHSEED"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run simulations; return 0 if nothing was violated."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation",
        description="Runs the real master and the real worker protocol on a simulated clock, under random faults.",
    )
    parser.add_argument("--seeds", type=int, default=1000, help="how many simulations (default: 1000)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (default: 1)")
    parser.add_argument("--seed", type=int, help="one simulation, with its story")
    parser.add_argument("--trace", action="store_true", help="with --seed: tell everything that happened")
    parser.add_argument(
        "--shrink", action="store_true", help="with --seed: look for a smaller plan that fails"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, help="how many at the same time"
    )
    asked = parser.parse_args(arguments)
    if asked.seed is not None:
        return _one(workload.draw(asked.seed), trace=asked.trace, smaller=asked.shrink)
    outcomes = run_seeds(range(asked.first, asked.first + asked.seeds), asked.processes)
    found = document(asked.first, outcomes)
    if asked.json:
        print(json.dumps(found, indent=2))
    else:
        _print(found, outcomes)
    return 1 if found["violations"] else 0


def _one(plan: Plan, *, trace: bool, smaller: bool) -> int:
    database = Database()
    if smaller:
        plan = shrink(plan, lambda one: bool(simulate(one, database).violations))
    story = Story(listening=trace or smaller)
    with listening(story):
        outcome = simulate(plan, database, story)
    if trace or smaller:
        print(describe(plan))
        print("\n".join(story.lines))
    print(
        f"seed {plan.seed}: {outcome.attempts} executions, over after {outcome.ended_s:.1f} simulated seconds"
    )
    for line in outcome.violations:
        print(f"  {line}")
    return 1 if outcome.violations else 0


def _print(found: dict[str, object], outcomes: Sequence[Outcome]) -> None:
    print(
        f"{len(outcomes)} simulations from seed {found['seed']}: {found['workflows']} runs, "
        f"{found['attempts']} executions, {sum(sum(one.faults.values()) for one in outcomes)} faults"
    )
    for one in outcomes:
        for line in one.violations[:5]:
            print(f"  seed {one.seed}: {line}")
    failed = [one.seed for one in outcomes if one.violations]
    if failed:
        print(f"{len(failed)} failed; see one: python -m tests.simulation --seed {failed[0]} --trace")


if __name__ == "__main__":
    if os.environ.get(HASH_SEED) != "0":  # the order of sets is part of what a seed decides
        os.execve(  # noqa: S606  this program again
            sys.executable,
            [sys.executable, "-m", "tests.simulation", *sys.argv[1:]],
            {**os.environ, HASH_SEED: "0"},
        )
    sys.exit(main())
