"""Owns the doors to Redis and the broker, as ports, and the name of what is recalled and killed through them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestrator.broker.claims import NOTHING, RecallAnswer
from orchestrator.core.instance import TaskInstance
from orchestrator.core.order import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """One hand-over, named well enough to recall or kill it.

    Attributes:
        unserved: It is recalled because nobody serves its worker group.
    """

    workflow_instance_id: int
    task: str
    attempt: int
    dispatch: int
    worker: str | None = None
    unserved: bool = False

    @property
    def id(self) -> str:
        """The id of its order."""
        return f"{self.workflow_instance_id}:{self.task}:{self.attempt}:{self.dispatch}"


def hand_over_of(attempt: TaskInstance) -> HandOver:
    """Return the present hand-over of an attempt."""
    return HandOver(
        workflow_instance_id=attempt.workflow_instance_id,
        task=attempt.task,
        attempt=attempt.attempt,
        dispatch=attempt.dispatch,
        worker=attempt.worker,
    )


def named(order_id: str, worker: str | None = None) -> HandOver | None:
    """Return the hand-over that an order's id names, or `None` if it is no such id."""
    instance, _, rest = order_id.partition(":")
    task, *numbers = rest.rsplit(":", 2)
    if len(numbers) != 2 or not all(one.isdecimal() for one in (instance, *numbers)):  # noqa: PLR2004  two numbers
        return None
    attempt, dispatch = map(int, numbers)
    return HandOver(
        workflow_instance_id=int(instance), task=task, attempt=attempt, dispatch=dispatch, worker=worker
    )


class Courier(Protocol):
    """Hands orders to the broker."""

    def publish(self, orders: Sequence[Order], generation: str) -> None:
        """Publish all of `orders`, or raise BrokerUnavailable, or UnresolvedParameter if one cannot be sent."""
        ...


class Recaller(Protocol):
    """Takes hand-overs back."""

    def recall(
        self, order_ids: Sequence[str], *, published: Mapping[str, str] = NOTHING, settle_s: float = 0.0
    ) -> Sequence[RecallAnswer]:
        """Try to take the claim of each order; say who has it, where that is certain."""
        ...


class Stopper(Protocol):
    """Asks workers to kill attempts."""

    def request(self, worker: str, order_ids: Collection[str], reason: str) -> None:
        """Leave the request where the worker finds it, now or with its next heartbeat."""
        ...


class GenerationSource(Protocol):
    """Knows the generation of this life of Redis."""

    def current(self) -> str:
        """Return it; make one when there is none."""
        ...

    def is_settled(self, settle_s: float) -> bool:
        """Return whether it is older than this."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """The four doors to the outside."""

    courier: Courier
    recaller: Recaller
    stopper: Stopper
    generation: GenerationSource
