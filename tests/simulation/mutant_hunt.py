"""Owns the hunt: which simulation notices a mutant, and what it says."""

from collections.abc import Iterable
from dataclasses import dataclass

from tests.simulation import workload
from tests.simulation.database import Database
from tests.simulation.mutant_patch import Mutant, mutated
from tests.simulation.simulation import examine

PATIENCE_S = 400.0
"""Simulated seconds after which a run counts as stuck here, for the sake of speed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catch:
    """How a mutant was noticed.

    Attributes:
        said: The first line of what the oracle said.
    """

    seed: int
    said: str


def hunt(mutant: Mutant, seeds: Iterable[int]) -> Catch | None:
    """Return the first of `seeds` whose simulation notices the mutant, or `None`: it survives them all.

    A simulation that accuses the product without the mutant too does not count.
    """
    database = Database()
    for seed in seeds:
        with mutated(mutant):
            said = [line for line in symptoms(seed, database) if not _is_provoked(mutant, line)]
        if said and not symptoms(seed, database):
            return Catch(seed=seed, said=said[0])
    return None


def symptoms(seed: int, database: Database) -> tuple[str, ...]:
    """Return everything that is wrong with a simulation."""
    return examine(workload.draw(seed), database, patience_s=PATIENCE_S).violations


def _is_provoked(mutant: Mutant, line: str) -> bool:
    return mutant.provokes is not None and line.startswith(mutant.provokes)
