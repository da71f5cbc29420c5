"""I12: a crash between the commit of a run's end and its side effects loses none of them."""

import pytest
from structlog.testing import capture_logs

from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.master.announcer import Announcer
from orchestrator.store.outbox import Outbox
from tests.contract.invariants.cases import last
from tests.world import Killed, World


def failing_end(world: World) -> None:
    """The RESULT that ends the run FAILURE has been read."""
    last(world)
    (order,) = world.worker.held.values()
    world.worker.result(order, TaskState.FAILURE)
    world.read()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_master_that_dies_beside_the_acknowledgement_leaves_the_alert(world: World, when: str) -> None:
    """The alert's row was committed with the end: another master tells it, once."""
    failing_end(world)
    world.streams.dies = when

    with pytest.raises(Killed):
        world.step()
    world.restart_master()
    world.settle()

    assert world.state is WorkflowState.FAILURE
    assert told(world) == [f"workflow_failure:{world.run}:1:"]
    assert told(world) == []
    assert world.streams.waiting == 0


def test_an_alert_is_told_again_only_under_its_key_when_noting_it_failed(world: World) -> None:
    """Told, and the master dies before it can note so: told once more, with the same key."""
    failing_end(world)
    world.settle()
    outbox = Outbox(world.rig.engine)
    announcer = Announcer(_Forgetful(outbox), range(64))

    with capture_logs() as logs, pytest.raises(Killed):
        announcer.step()

    first = [line["key"] for line in logs if line["event"] == "alert.workflow_failure"]
    assert first == told(world)


def told(world: World) -> list[str]:
    """Return the keys of the alerts that are told now."""
    with capture_logs() as logs:
        Announcer(Outbox(world.rig.engine), range(64)).step()
    return [line["key"] for line in logs if line["event"].startswith("alert.")]


class _Forgetful:
    """An outbox beside which the master dies when it notes what was delivered."""

    def __init__(self, outbox: Outbox) -> None:
        self.due = outbox.due
        self.rules = outbox.rules

    def tell(self, _ids: object, _deliveries: object) -> None:
        """Die."""
        raise Killed
