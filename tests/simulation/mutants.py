"""Owns the list of mutants, and the program that hunts them: `python -m tests.simulation.mutants [NAME]...`."""

import json
import os
import sys
from collections.abc import Iterator, Sequence

from tests.simulation.campaign import swept_between
from tests.simulation.mutant_children import CHILD_MUTANTS
from tests.simulation.mutant_commit import COMMIT_MUTANTS
from tests.simulation.mutant_hunt import Hunter
from tests.simulation.mutant_logic import LOGIC_MUTANTS
from tests.simulation.mutant_master import MASTER_MUTANTS
from tests.simulation.mutant_memory import MEMORY_MUTANTS
from tests.simulation.mutant_patch import Mutant
from tests.simulation.mutant_pools import POOL_MUTANTS
from tests.simulation.mutant_protocol import PROTOCOL_MUTANTS
from tests.simulation.mutant_survivors import SURVIVORS
from tests.simulation.story import quiet

MUTANTS = (
    *COMMIT_MUTANTS,
    *MASTER_MUTANTS,
    *PROTOCOL_MUTANTS,
    *MEMORY_MUTANTS,
    *POOL_MUTANTS,
    *LOGIC_MUTANTS,
    *CHILD_MUTANTS,
)

MOST_SEEDS = 500
"""A mutant that survives so many seeds says that something is not looked at."""

AFRESH = "--afresh"
"""Look for the first seeds again, without those of the table."""


def seeds_for(mutant: Mutant, *, afresh: bool) -> Iterator[int]:
    """Yield the seeds to be tried: the recorded one first, unless the table is to be made again."""
    if mutant.caught_by is not None and not afresh:
        yield mutant.caught_by
    yield from range(1, MOST_SEEDS + 1)


def main(arguments: Sequence[str]) -> int:
    """Hunt mutants and print one line of JSON for each; return how many survived.

    Args:
        arguments: Names of mutants, also of those that survived so far; none: all that were caught before.
    """
    quiet()
    names = [one for one in arguments if one != AFRESH]
    wanted = [one for one in (*MUTANTS, *SURVIVORS) if one.name in names] or MUTANTS
    hunter, survivors = Hunter(), 0
    with swept_between() as sweep:
        for mutant in wanted:
            catch = hunter.hunt(mutant, seeds_for(mutant, afresh=AFRESH in arguments))
            survivors += catch is None
            found = {"seed": catch.seed, "said": catch.said} if catch else {"seed": None, "said": None}
            sys.stdout.write(json.dumps({"name": mutant.name, **found}) + "\n")
            sys.stdout.flush()
            sweep()
    return survivors


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets is part of what a seed decides
        os.execve(  # noqa: S606  this program again
            sys.executable,
            [sys.executable, "-m", "tests.simulation.mutants", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    sys.exit(main(sys.argv[1:]))
