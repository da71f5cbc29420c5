"""Group commit: what one batch writes, and how much of it."""

from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.core.changes import Changes, Leases
from orchestrator.core.status import TaskState
from tests.world import World, a_task


@dataclass(slots=True)
class Recording:
    """A committer that remembers what it wrote."""

    world: World
    written: list[Changes] = field(default_factory=list)

    def commit(self, changes: Changes, leases: Leases) -> datetime:
        """Commit and remember."""
        self.written.append(changes)
        return self.world.rig.commit.commit(changes, leases)


def test_running_and_result_of_an_attempt_are_one_row_write(world: World) -> None:
    """Both events wait: one transaction, one write of the attempt's row, with what both said.

    Teeth: fails when `Touched` keeps a list of rows in the place of its dictionaries.
    """
    world.submit(a_task("first"), a_task("second", "first"))
    world.settle()
    order = world.taken()
    world.worker.running(order, pid=42)
    world.worker.result(order, outputs={"n": 1})
    world.read()
    recording = world.rig.committer = Recording(world)

    world.step()

    (changes,) = recording.written
    (instance,) = changes.instances
    assert [(row.task, row.state, row.pid, row.outputs) for row in instance.changed] == [
        ("first", TaskState.SUCCESS, 42, {"n": 1})
    ]
    assert [(row.task, row.state) for row in instance.new] == [("second", TaskState.SUBMITTED)]


def test_an_attempt_that_is_born_and_dispatched_in_one_batch_is_one_insert(world: World) -> None:
    """A row that the same batch creates and changes is written once, as it is at the end."""
    world.submit(a_task("first", delay_s=1.0))
    world.read()
    items = world.waiting_items()
    recording = world.rig.committer = Recording(world)
    world.put(items)
    world.step()

    assert [row.state for one in recording.written[0].instances for row in one.new] == [TaskState.DELAYED]
