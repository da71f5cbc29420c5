"""Owns the hunt for mutants of the semantics: `python -m tests.integration.semantics.hunt [STATEMENT]...`.

One session of pytest runs each named test on the product as it is, and once for each mutant that it is to notice.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.integration.semantics.mutant import SemanticMutant
from tests.integration.semantics.mutants_control import CONTROL_MUTANTS
from tests.integration.semantics.mutants_definitions import DEFINITIONS_MUTANTS
from tests.integration.semantics.mutants_parameters import PARAMETERS_MUTANTS
from tests.integration.semantics.mutants_runs import RUNS_MUTANTS
from tests.integration.semantics.mutants_tasks import TASKS_MUTANTS
from tests.integration.semantics.mutants_time import TIME_MUTANTS
from tests.integration.semantics.mutants_triggers import TRIGGERS_MUTANTS
from tests.simulation.mutant_patch import mutated

TESTS = Path(__file__).parents[2]
MUTANTS: tuple[SemanticMutant, ...] = (
    *DEFINITIONS_MUTANTS,
    *RUNS_MUTANTS,
    *TRIGGERS_MUTANTS,
    *TASKS_MUTANTS,
    *CONTROL_MUTANTS,
    *PARAMETERS_MUTANTS,
    *TIME_MUTANTS,
)

HEALTHY = "healthy"
"""Stands in the place of a statement where a test runs on the product as it is."""

PROPERTY = "mutant"


class Hunter:
    """A plugin that lets each test run once for every mutant, and notes which of them made it fail.

    Args:
        mutants: What is hunted.

    Attributes:
        noticed: For each statement (or `HEALTHY`) the names of the exceptions that made its test fail.
    """

    def __init__(self, mutants: Sequence[SemanticMutant]) -> None:
        self.noticed: dict[str, set[str]] = defaultdict(set)
        self._by_test: dict[str, list[SemanticMutant]] = defaultdict(list)
        for mutant in mutants:
            self._by_test[mutant.noticed_by].append(mutant)

    @property
    def tests(self) -> list[str]:
        """What pytest is to collect."""
        return [str(TESTS / name) for name in self._by_test]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Multiply each test by its mutants."""
        name = f"{metafunc.definition.path.relative_to(TESTS)}::{metafunc.definition.originalname}"
        product = [None, *self._by_test[name]]
        ids = [one.statement if one else HEALTHY for one in product]
        metafunc.parametrize("product", product, indirect=True, ids=ids)

    @pytest.fixture(autouse=True)
    def product(self, request: pytest.FixtureRequest) -> Iterator[None]:
        """Let the product be the mutant during the test."""
        mutant: SemanticMutant | None = request.param
        if mutant and mutant.statement in self.noticed:
            pytest.skip("noticed by an earlier case of the same test")
        request.node.user_properties.append((PROPERTY, mutant.statement if mutant else HEALTHY))
        with mutated(mutant.patch) if mutant else nullcontext():
            yield

    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """Note a failure; before the test itself it is no mutant's, but one of a patch that does not fit."""
        if call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
            statement = str(dict(item.user_properties).get(PROPERTY, HEALTHY))
            self.noticed[statement].add(call.excinfo.typename if call.when == "call" else f"in {call.when}")


def main(statements: Sequence[str]) -> int:
    """Hunt, and print one line of JSON at the end: what made tests fail, by statement; return pytest's exit code.

    Args:
        statements: Whose mutants; none: all.
    """
    hunter = Hunter([one for one in MUTANTS if one.statement in statements or not statements])
    code = pytest.main(["-n0", "-q", "--tb=no", "-pno:cacheprovider", *hunter.tests], plugins=[hunter])
    noticed = {statement: sorted(errors) for statement, errors in hunter.noticed.items()}
    sys.stdout.write("\n" + json.dumps(noticed) + "\n")
    return 0 if code in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) else int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
