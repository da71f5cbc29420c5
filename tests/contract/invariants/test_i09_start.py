"""I9: a start that fails at stage k resumes at stage k; nothing is repeated, nothing is dispatched twice."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from orchestrator.core.changes import Changes, Leases
from orchestrator.errors import StoreUnavailable
from orchestrator.master.outside import Committer
from tests.contract.invariants.conftest import MakeWorld
from tests.contract.invariants.faults import unreadable
from tests.world import Killed, World, a_task

ROOTS = 2_100
STAGES = 3
"""START creates 1,000 roots, the two steps behind it the rest."""


@dataclass(slots=True)
class Breaking:
    """A committer that fails, once, at the k-th commit that creates attempts."""

    real: Committer
    stage: int
    error: BaseException
    commits: bool = False
    created: list[int] = field(default_factory=list)

    def commit(self, changes: Changes, leases: Leases) -> datetime:
        """Commit, unless this is the stage."""
        new = sum(len(one.new) for one in changes.instances)
        if new and len(self.created) == self.stage and self.stage >= 0:
            self.stage = -1
            if self.commits:
                self.created.append(new)
                self.real.commit(changes, leases)
            raise self.error
        if new:
            self.created.append(new)
        return self.real.commit(changes, leases)


@pytest.fixture
def wide(make_world: MakeWorld) -> World:
    """A submitted run of more roots than two steps create."""
    world = make_world()
    world.submit(*(a_task(f"t{number:04d}") for number in range(ROOTS)))
    return world


@pytest.mark.parametrize("stage", range(STAGES))
def test_a_start_resumes_at_the_stage_that_failed(wide: World, stage: int) -> None:
    """Each root gets one row, in three commits of at most 1,000, however the k-th try fails first.

    Teeth: fails without `self._desk.inbox.put_notices([NoticeItem(Continue(…` in `Effects.look`.
    """
    committer = wide.rig.committer = Breaking(wide.rig.commit, stage, StoreUnavailable("gone"))

    wide.pass_time(2)

    assert committer.created == [1000, 1000, 100]
    _each_root_once(wide)


@pytest.mark.parametrize("commits", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("stage", range(STAGES))
def test_another_master_goes_on_where_the_dead_one_stopped(wide: World, stage: int, commits: object) -> None:
    """Killed before or after the k-th commit: the rows are the cursor."""
    committer = wide.rig.committer = Breaking(wide.rig.commit, stage, Killed(), bool(commits))

    with pytest.raises(Killed):
        wide.settle()
    wide.restart_master()
    wide.settle()

    assert committer.created == [1000, 1000, 100]
    _each_root_once(wide)


def test_a_start_whose_definition_cannot_be_loaded_waits_for_the_database(make_world: MakeWorld) -> None:
    """The very first stage, loading, fails: the START stays a row and is tried again."""
    world = make_world()
    world.submit(a_task("only"))

    with unreadable(world, "FROM workflow_definition"):
        world.settle()
    assert world.state == "SUBMITTED"
    assert world.picture()["commands"] == ["START"]
    world.pass_time(2)

    assert world.state == "RUNNING"
    assert world.broker.published == [f"{world.run}:only:1:1"]


def _each_root_once(world: World) -> None:
    assert Counter(row.task for row in world.rows()) == {f"t{number:04d}": 1 for number in range(ROOTS)}
    assert [row.sequence for row in world.rows()] == list(range(1, ROOTS + 1))
    world.assert_memory_equals_rows()
    orders = world.worker.take_all()
    assert len(orders) == len(set(world.broker.published)) > 0
