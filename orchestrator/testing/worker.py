"""Owns the simulated worker: it claims, reports RUNNING and RESULT, and does what a script says it should do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from orchestrator.broker.codec import encode
from orchestrator.broker.presence import WorkerBeat
from orchestrator.broker.stream import Entry
from orchestrator.core.deferral import Defer
from orchestrator.core.event import TaskDelayed, TaskResult, TaskRunning
from orchestrator.core.order import Order
from orchestrator.core.status import TaskState
from orchestrator.testing.redis import MemoryBeats, MemoryBroker, MemoryStreams


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a simulated attempt ends.

    Attributes:
        error: Name of the exception; `None` is success.
    """

    outputs: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    reason: str | None = None


class Behaviour(Protocol):
    """Decides what an attempt does."""

    def __call__(self, order: Order, /) -> Ending:
        """Return how it ends; raise `Defer` to be called again later."""
        ...


class SimulatedWorker:
    """One worker without a process; each step runs what its queue holds to the end.

    Args:
        name: The worker's name.
        incarnation: Of this start.
        broker: Queues and claims.
        streams: Where reports go.
        behaviour: What attempts do.
        slot_of: Slot of a workflow instance.
        groups: Queues it serves.
        capacity: How many orders it takes in one step.
    """

    def __init__(  # noqa: PLR0913  a worker's whole world
        self,
        name: str,
        incarnation: str,
        broker: MemoryBroker,
        streams: MemoryStreams,
        behaviour: Behaviour,
        slot_of: Callable[[int], int],
        *,
        groups: tuple[str, ...] = ("default",),
        capacity: int = 4,
    ) -> None:
        self.name = name
        self.incarnation = incarnation
        self._broker = broker
        self._streams = streams
        self._behaviour = behaviour
        self._slot_of = slot_of
        self._groups = groups
        self._capacity = capacity
        self._spool_id = 0
        self.ran: list[str] = []

    def beat(self, beats: MemoryBeats) -> None:
        """Show that it lives."""
        beats.beat(
            WorkerBeat(
                name=self.name, incarnation=self.incarnation, groups=self._groups, capacity=self._capacity
            )
        )

    def serve(self, *groups: str) -> None:
        """Serve these groups too."""
        self._groups = tuple(dict.fromkeys((*self._groups, *groups)))

    def step(self) -> int:
        """Run up to `capacity` orders of its queues to their end; return how many."""
        done = 0
        for group in self._groups:
            while done < self._capacity and (order := self._broker.take(group)) is not None:
                if self._broker.claim(order.id, f"{self.name}|{self.incarnation}"):
                    self._run(order)
                    done += 1
        return done

    def _run(self, order: Order) -> None:
        self.ran.append(order.id)
        self.report(order, TaskRunning(**self.token(order), host=self.name, pid=1))
        try:
            ending = self._behaviour(order)
        except Defer as defer:
            self.report(order, TaskDelayed(**self.token(order), seconds=defer.seconds))
            return
        state = TaskState.SUCCESS if ending.error is None else TaskState.FAILURE
        self.report(
            order,
            TaskResult(
                **self.token(order),
                state=state,
                outputs=ending.outputs,
                error=ending.error,
                reason=ending.reason,
            ),
        )

    def report(self, order: Order, event: TaskRunning | TaskResult | TaskDelayed) -> Entry:
        """Write an event to the stream of the order's slot."""
        self._spool_id += 1
        slot = self._slot_of(order.workflow_instance_id)
        return self._streams.add(slot, encode(event), worker=self.name, spool_id=self._spool_id)

    def token(self, order: Order) -> dict[str, Any]:
        """Return what every event of this order carries."""
        return {
            "workflow_instance_id": order.workflow_instance_id,
            "task": order.task,
            "attempt": order.attempt,
            "dispatch": order.dispatch,
            "ticket": order.ticket,
            "worker": self.name,
            "incarnation": self.incarnation,
        }
