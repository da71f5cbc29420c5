"""I1: a worker is acknowledged only after the commit, or after a fenced transaction in which it was a no-op."""

from dataclasses import dataclass
from datetime import datetime

import pytest

from orchestrator.core.changes import Changes, Leases
from tests.contract.invariants.cases import EVERYTHING, Case
from tests.world import World

TOLD = [case for case in EVERYTHING if case.told]


@dataclass(slots=True)
class Watching:
    """A committer that notes what was acknowledged before each commit was done."""

    world: World
    told_before: int = -1
    fenced: int = 0

    def commit(self, changes: Changes, leases: Leases) -> datetime:
        """Commit, and look at the acknowledgements afterwards."""
        now = self.world.rig.commit.commit(changes, leases)
        self.fenced += bool(leases.epochs)
        self.told_before = len(self.world.streams.acknowledged)
        return now


@pytest.mark.parametrize("case", TOLD, ids=str)
def test_verdicts_wait_for_the_fenced_commit(world: World, case: Case) -> None:
    """When the transaction is done nobody has been told yet, whether the event changed anything or not.

    Teeth: fails with `self._acknowledge(batch)` before the commit in `Loop._handle`, and, for the no-ops, when a
    batch without changes is not committed.
    """
    case.ready(world)
    told = len(world.streams.acknowledged)
    committer = world.rig.committer = Watching(world)

    world.step()

    assert committer.fenced == 1
    assert committer.told_before == told
    assert len(world.streams.acknowledged) > told


@pytest.mark.parametrize("case", [case for case in TOLD if case.writes], ids=str)
def test_what_was_acknowledged_is_in_the_database(world: World, case: Case) -> None:
    """After the verdict a new master, which knows the rows only, thinks the same."""
    case.ready(world)

    world.step()
    world.assert_memory_equals_rows()
    before = world.picture()
    world.restart_master()

    assert world.picture() == before
    world.assert_memory_equals_rows()
