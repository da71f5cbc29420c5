"""The tests that show the semantics have teeth: each mutant is noticed by the test that is named."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.integration.semantics.hunt import HEALTHY, MUTANTS
from tests.integration.semantics.mutant import SemanticMutant
from tests.simulation.mutant_patch import mutated
from tests.statements import DOCUMENT, TEETH, statements

ROOT = Path(__file__).parents[3]
LIMIT_S = 150.0
ENOUGH = 120

Noticed = Mapping[str, Sequence[str]]

NO_SENSE = frozenset(
    {"NameError", "UnboundLocalError", "SyntaxError", "AttributeError", "TypeError", "in setup"}
)
"""What a patch raises that does not fit: nobody has noticed a wrong product then."""


@pytest.fixture(scope="module")
def noticed() -> Noticed:
    """Return what made tests fail, by statement; hunted in a program of its own, which is thrown away."""
    hunt = subprocess.run(
        [sys.executable, "-m", "tests.integration.semantics.hunt"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert hunt.returncode == 0, hunt.stdout[-2000:] + hunt.stderr[-2000:]
    found: Noticed = json.loads(hunt.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.statement)
def test_mutant_is_noticed(mutant: SemanticMutant, noticed: Noticed) -> None:
    """By the test that the document names for this statement."""
    errors = noticed.get(mutant.statement)

    assert errors, f"{mutant.statement}: {mutant.noticed_by} does not notice that {mutant.breaks}"
    assert NO_SENSE.isdisjoint(errors)


def test_product_without_mutant_is_not_accused(noticed: Noticed) -> None:
    """The same tests pass on the product as it is, in the same session."""
    assert HEALTHY not in noticed


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.statement)
def test_mutant_still_fits_the_product(mutant: SemanticMutant) -> None:
    """One whose text is gone fails by itself, and shows nothing."""
    with mutated(mutant.patch):
        pass


def test_each_mutant_is_of_one_statement_and_noticed_by_a_test_of_its_row() -> None:
    """One for each of them, and there are enough."""
    tests = {one.id: [f"{file}::{name}" for file, name in one.tests] for one in statements()}

    assert [one.statement for one in MUTANTS if one.noticed_by not in tests[one.statement]] == []
    assert len({one.statement for one in MUTANTS}) == len(MUTANTS) >= ENOUGH


def test_table_of_the_documentation_names_every_mutant() -> None:
    """What people read is what is hunted, in the same order."""
    rows = DOCUMENT.read_text(encoding="utf-8").partition(TEETH)[2].splitlines()

    assert [row for row in rows if row.startswith("| ") and row[2].isdigit()] == [
        f"| {one.statement} | {one.breaks} | `{one.noticed_by}` |" for one in MUTANTS
    ]
