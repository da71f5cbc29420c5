"""Owns the command line: `python -m tests.simulation --seeds N`, and `--seed N --trace` to see one of them."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial

from tests.simulation import workload
from tests.simulation.campaign import document, run_seeds
from tests.simulation.database import Database
from tests.simulation.plan import Plan
from tests.simulation.shrink import shrink
from tests.simulation.simulation import Outcome, examine
from tests.simulation.story import Story, describe, listening, quiet
from tests.simulation.watchdog import PROCESSOR_S
from tests.simulation.workload_shapes import SHAPES

HASH_SEED = "PYTHONHASHSEED"

SEEDS = 1_000

SHAPE_PROCESSOR_S = 900.0
"""A shape in full size may have 2,000 tasks."""

NAMED = 20
"""So many seeds that failed are named."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run simulations; return 0 if nothing was violated."""
    asked = _asked(arguments)
    if asked.shape is not None:
        return _one(asked, workload.shape(asked.shape, asked.seed or 1), SHAPE_PROCESSOR_S)
    if asked.seed is not None:
        return _one(asked, workload.draw(asked.seed), PROCESSOR_S)
    outcomes = run_seeds(range(asked.first, asked.first + asked.seeds), asked.processes)
    return _tell(asked, asked.first, outcomes)


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    asked = parser.parse_args(arguments)
    for fault in _contradictions(asked):
        parser.error(fault)
    asked.seeds, asked.first = asked.seeds or SEEDS, asked.first or 1
    asked.processes = asked.processes or os.cpu_count() or 1
    return asked


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation",
        description="Runs the real master and the real worker protocol on a simulated clock, under random faults.",
    )
    many = parser.add_argument_group("many simulations")
    many.add_argument("--seeds", type=_positive, metavar="N", help=f"how many (default: {SEEDS})")
    many.add_argument("--first", type=_positive, metavar="N", help="the first seed (default: 1)")
    many.add_argument("--processes", type=_positive, metavar="N", help="how many at the same time")
    one = parser.add_argument_group("one simulation")
    one.add_argument("--seed", type=_positive, metavar="N", help="the one of this seed")
    one.add_argument("--shape", choices=SHAPES, help="a shape that hurts, in full size (seed: 1)")
    one.add_argument("--trace", action="store_true", help="tell everything that happened")
    one.add_argument("--shrink", action="store_true", help="look for a smaller plan that fails, and tell it")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not above 0")
    return number


def _contradictions(asked: argparse.Namespace) -> list[str]:
    """Return which options say nothing together."""
    single = asked.seed is not None or asked.shape is not None
    many = [name for name in ("seeds", "first", "processes") if getattr(asked, name) is not None]
    told = [name for name in ("trace", "shrink") if getattr(asked, name)]
    if single:
        faults = [f"--{name} is for many simulations: not with --seed or --shape" for name in many]
        return faults + [f"--{name} tells a story: not with --json" for name in told if asked.json]
    return [f"--{name} is for one simulation: give --seed or --shape" for name in told]


# --- one -------------------------------------------------------------------------------------


def _one(asked: argparse.Namespace, plan: Plan, processor_s: float) -> int:
    if asked.json:
        quiet()
        return _tell(asked, plan.seed, [examine(plan, Database(), processor_s=processor_s)])
    attempt = partial(examine, processor_s=processor_s)
    if asked.shrink:
        quiet()
        plan = shrink(plan, _failing(attempt))
    story = Story(listening=asked.trace or asked.shrink)
    with listening(story):
        outcome = attempt(plan, Database(), story)
    _tell_story(plan, story, outcome, shrunk=asked.shrink)
    return 1 if outcome.violations else 0


def _failing(attempt: Callable[[Plan, Database], Outcome]) -> Callable[[Plan], bool]:
    """Return what tries a plan, on the same database as long as none crashes."""
    database = Database()

    def fails(plan: Plan) -> bool:
        nonlocal database
        outcome = attempt(plan, database)
        if outcome.crashed:
            database = Database()
        return bool(outcome.violations)

    return fails


def _tell_story(plan: Plan, story: Story, outcome: Outcome, *, shrunk: bool) -> None:
    if story.listening and (outcome.violations or not shrunk):
        print(describe(plan))
        print("\n".join(story.lines))
    print(
        f"seed {plan.seed}: {outcome.attempts} executions, over after {outcome.ended_s:.1f} simulated seconds"
    )
    for line in outcome.violations:
        print(f"  {line}")
    if shrunk and not outcome.violations:
        print("nothing to shrink: it holds")


# --- many ------------------------------------------------------------------------------------


def _tell(asked: argparse.Namespace, first: int, outcomes: Sequence[Outcome]) -> int:
    found = document(first, outcomes)
    if asked.json:
        print(json.dumps(found, indent=2))
    else:
        _print(found, outcomes)
    return 1 if found["violations"] else 0


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
        named = ", ".join(map(str, failed[:NAMED])) + (", …" if len(failed) > NAMED else "")
        print(f"{len(failed)} failed: {named}")
        print(f"see one: python -m tests.simulation --seed {failed[0]} --trace (or --shrink)")


if __name__ == "__main__":
    if os.environ.get(HASH_SEED) != "0":  # the order of sets is part of what a seed decides
        os.execve(  # noqa: S606  this program again
            sys.executable,
            [sys.executable, "-m", "tests.simulation", *sys.argv[1:]],
            {**os.environ, HASH_SEED: "0"},
        )
    sys.exit(main())
