"""Owns the hunt: which simulation notices a mutant, and what it says."""

from collections.abc import Iterable
from dataclasses import dataclass

from tests.simulation import workload
from tests.simulation.database import Database
from tests.simulation.mutant_patch import Mutant, mutated
from tests.simulation.simulation import examine

PATIENCE_S = 100.0
"""Simulated seconds after which a run counts as stuck here, for the sake of speed; also without the mutant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catch:
    """How a mutant was noticed.

    Attributes:
        said: The first line of what the oracle said.
    """

    seed: int
    said: str


class Hunter:
    """Hunts mutants, one after the other, on one database."""

    def __init__(self) -> None:
        self._database = Database()
        self._without: dict[int, tuple[str, ...]] = {}

    def hunt(self, mutant: Mutant, seeds: Iterable[int]) -> Catch | None:
        """Return the first of `seeds` whose simulation notices the mutant, or `None`: it survives them all.

        A simulation that accuses the product without the mutant too does not count.
        """
        for seed in seeds:
            with mutated(mutant):
                said = [line for line in self._symptoms(seed) if not _is_provoked(mutant, line)]
            if said and not self._symptoms_without(seed):
                return Catch(seed=seed, said=said[0])
        return None

    def _symptoms(self, seed: int) -> tuple[str, ...]:
        """Return everything that is wrong with a simulation."""
        outcome = examine(workload.draw(seed), self._database, patience_s=PATIENCE_S)
        if outcome.crashed:
            self._database = Database()  # who knows what it was left in
        return outcome.violations

    def _symptoms_without(self, seed: int) -> tuple[str, ...]:
        """Return what is wrong with a simulation of the product as it is; several mutants ask about one seed."""
        if seed not in self._without:
            self._without[seed] = self._symptoms(seed)
        return self._without[seed]


def _is_provoked(mutant: Mutant, line: str) -> bool:
    return mutant.provokes is not None and line.startswith(mutant.provokes)
