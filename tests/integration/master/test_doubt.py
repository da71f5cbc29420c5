"""What a master does not do while Redis may have forgotten who claimed what."""

from collections.abc import Mapping, Sequence

import pytest

from orchestrator.broker.claims import NOTHING, RecallAnswer
from orchestrator.core.command import CommandKind
from orchestrator.core.event import TaskResult
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.errors import BrokerUnavailable
from tests.world import StumblingBroker, World, a_task


class ForgetfulBroker(StumblingBroker):
    """A broker whose Redis came back without its memory a moment ago.

    Attributes:
        unsettled: The living have not claimed again yet.
    """

    unsettled: bool = False

    def is_settled(self, settle_s: float) -> bool:
        """Say whether the living have claimed again."""
        return super().is_settled(settle_s) and not self.unsettled

    def recall(
        self, order_ids: Sequence[str], *, published: Mapping[str, str] = NOTHING, settle_s: float = 0.0
    ) -> list[RecallAnswer]:
        """Answer only about what was published under the present generation, while it is young."""
        known = [
            one
            for one in order_ids
            if not (self.unsettled and settle_s) or published.get(one) == self.generation
        ]
        return super().recall(known)


@pytest.fixture
def broker() -> ForgetfulBroker:
    """A broker that can lose its memory."""
    return ForgetfulBroker()


@pytest.fixture
def world(broker: ForgetfulBroker) -> World:
    """A world around that broker."""
    world = World()
    world.broker = world.rig.broker = broker
    world.worker = world.replace_worker("w1-1")
    world.restart_master()
    return world


def test_what_a_master_of_before_may_have_published_waits(world: World, broker: ForgetfulBroker) -> None:
    """It may have run: its claim and its report are not known again yet."""
    # Teeth: fails when the dispatcher publishes inherited rows like new ones.
    world.submit(a_task("only"))
    world.step()
    broker.unsettled = True
    world.restart_master()

    world.pass_time(5)
    assert broker.published == []

    broker.unsettled = False
    world.pass_time(2)
    assert broker.published == [f"{world.run}:only:1:1"]


def test_what_this_master_decided_itself_does_not_wait(world: World, broker: ForgetfulBroker) -> None:
    """Nobody can have published it before: a fresh Redis makes nobody wait."""
    broker.unsettled = True
    world.submit(a_task("only"))
    world.settle()

    assert broker.published == [f"{world.run}:only:1:1"]


def test_what_may_have_gone_out_waits_too(world: World, broker: ForgetfulBroker) -> None:
    """The broker took the message and its answer was lost; then Redis lost its memory, and a worker has run it."""
    # Teeth: fails when the messenger puts orders of a failed publish back among the new ones.
    world.submit(a_task("bad"))
    broker.chokes = BrokerUnavailable("the answer got lost")
    world.settle()
    broker.chokes, broker.unsettled = None, True

    world.pass_time(5)
    assert broker.published == []

    broker.unsettled = False
    world.pass_time(2)
    assert broker.published == [f"{world.run}:bad:1:1"]


def test_what_has_ended_meanwhile_does_not_go_out_again(world: World, broker: ForgetfulBroker) -> None:
    """A worker ran what a master of before had published, and its report came while the order still waited."""
    # Teeth: fails without `Messenger.withdraw` in `Effects.enact`.
    world.submit(a_task("only"), a_task("next", needs=("only",)))
    world.step()
    broker.unsettled = True
    world.restart_master()
    world.pass_time(3)
    world.say(world.attempt("only"), TaskResult, state=TaskState.SUCCESS, outputs={})
    world.settle()

    broker.unsettled = False
    world.pass_time(5)

    assert broker.published == [f"{world.run}:next:1:1"]


def test_a_pause_takes_nothing_back_whose_claim_may_be_forgotten(
    world: World, broker: ForgetfulBroker
) -> None:
    """A worker runs it: when it has claimed again, the recall finds it."""
    # Teeth: fails when the messenger takes a missing answer for a free claim.
    world.submit(a_task("only"))
    order = world.started()
    world.broker.wipe()
    broker.unsettled = True
    world.command(CommandKind.STOP)
    world.pass_time(3)
    assert world.attempt("only").state is TaskState.RUNNING
    broker.claims[order.id] = f"{world.worker.name}|{world.worker.incarnation}"

    broker.unsettled = False
    world.worker.result(order, TaskState.KILLED)
    world.settle()

    assert world.state is WorkflowState.STOPPED


def test_a_hand_over_that_nobody_claimed_is_taken_back_when_it_is_certain(
    world: World, broker: ForgetfulBroker
) -> None:
    """The recall waits; it is not forgotten."""
    world.submit(a_task("only"))
    world.settle()
    world.broker.wipe()
    broker.unsettled = True
    world.command(CommandKind.PAUSE)
    world.pass_time(3)
    assert world.attempt("only").state is TaskState.DISPATCHED

    broker.unsettled = False
    world.pass_time(2)

    assert world.attempt("only").state is TaskState.PAUSED
