"""The teeth of the simulation: mutants are noticed, where the product itself is not accused."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.master.batch import Batch
from tests.simulation.mutant_patch import Mutant, mutated
from tests.simulation.mutant_survivors import SURVIVORS
from tests.simulation.mutants import MOST_SEEDS, MUTANTS

ROOT = Path(__file__).parents[2]
ENOUGH = 18
LIMIT_S = 900.0

pytestmark = pytest.mark.timeout(LIMIT_S)  # the hunt of all of them counts for the first test

Finding = Mapping[str, Any]

UNDO = Mutant(
    name="undo-nothing",
    breaks="nothing is undone",
    target="orchestrator.master.batch:Batch.undo",
    old="instance.apply(inverse)",
    new="pass",
    caught_by=1,
)


@pytest.fixture(scope="module")
def findings() -> dict[str, Finding]:
    """Return what the hunt says of each mutant; in a program of its own, whose sets are ordered as recorded."""
    hunt = subprocess.run(
        [sys.executable, "-m", "tests.simulation.mutants"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert hunt.stdout, hunt.stderr
    return {one["name"]: one for one in map(json.loads, hunt.stdout.splitlines())}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_noticed(mutant: Mutant, findings: Mapping[str, Finding]) -> None:
    """Some simulation out of 500 notices what the mutant breaks, mostly the one that did so the last time."""
    seed = findings[mutant.name]["seed"]

    assert seed is not None, f"{mutant.name} survives {MOST_SEEDS} simulations: {mutant.breaks}"
    if seed != mutant.caught_by:
        sys.stdout.write(f"the table is old: {mutant.name} is caught by seed {seed}\n")


def test_there_are_enough_mutants_and_each_has_its_name() -> None:
    """The table names each mutant once, and there are as many as were promised."""
    names = [mutant.name for mutant in (*MUTANTS, *SURVIVORS)]

    assert len(set(names)) == len(names)
    assert len(MUTANTS) >= ENOUGH


@pytest.mark.parametrize("mutant", SURVIVORS, ids=lambda mutant: mutant.name)
def test_survivor_still_fits_the_product(mutant: Mutant) -> None:
    """What no simulation notices can be hunted again when the oracle has learnt something."""
    with mutated(mutant):
        pass


def test_mutant_is_taken_back() -> None:
    """After the context the product is what it was before."""
    before = Batch.undo.__code__

    with mutated(UNDO):
        within = Batch.undo.__code__

    assert within is not before
    assert Batch.undo.__code__ is before


def test_mutant_that_no_longer_fits_is_refused() -> None:
    """A mutant whose text is gone from the product fails, instead of changing nothing."""
    rotten = Mutant(
        name="rotten",
        breaks="nothing",
        target="orchestrator.master.batch:Batch.undo",
        old="what never stood there",
        new="",
        caught_by=1,
    )

    with pytest.raises(AssertionError, match="out of date"), mutated(rotten):
        pass


def test_table_of_the_documentation_names_every_mutant() -> None:
    """What people read about the mutants is what is hunted: names and seeds."""
    text = (ROOT / "docs" / "simulation.md").read_text(encoding="utf-8")

    missing = [
        one.name for one in MUTANTS if f"| `{one.name}` | {one.breaks} | {one.caught_by} |" not in text
    ]

    assert missing == []
