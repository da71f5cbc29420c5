"""Owns the hunt: which simulation notices a mutant, and what it says."""

import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.simulation import simulation, workload
from tests.simulation.database import Database
from tests.simulation.mutant_patch import Mutant, mutated

PROCESSOR_S = 60.0
"""Seconds of processor time after which a simulation counts as one that never ends."""

PATIENCE_S = 400.0
"""Simulated seconds after which a run counts as stuck here, for the sake of speed."""


class Endless(BaseException):
    """A simulation goes round in circles: the mutant made something spin."""


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
    try:
        with _limited():
            return simulation.simulate(workload.draw(seed), database).violations
    except (Exception, Endless) as error:  # noqa: BLE001  whatever a mutant breaks is noticed
        return (f"{type(error).__name__}: {error}",)


def _is_provoked(mutant: Mutant, line: str) -> bool:
    return mutant.provokes is not None and line.startswith(mutant.provokes)


@contextmanager
def _limited() -> Iterator[None]:
    """Have less patience, and raise Endless, wherever the program is, when too much processor time is spent."""

    def end(*_: Any) -> None:
        raise Endless

    before, patience_s = signal.signal(signal.SIGPROF, end), simulation.PATIENCE_S
    simulation.PATIENCE_S = PATIENCE_S
    signal.setitimer(signal.ITIMER_PROF, PROCESSOR_S, 1.0)  # again and again: something may swallow it
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)
        simulation.PATIENCE_S = patience_s
