"""Owns what a master shows of itself: one document that `doctor` and `masters list` read."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from orchestrator.core.changes import Leases
from orchestrator.master.desk import Desk
from orchestrator.master.lanes import Lanes
from orchestrator.master.overload import Overload


class StatusBoard(Protocol):
    """Where masters show themselves, and where people leave requests for them."""

    def publish(self, name: str, status: Mapping[str, Any]) -> None:
        """Replace what is shown of master `name`."""
        ...

    def leave(self, name: str) -> None:
        """Show nothing of master `name` any more."""
        ...


class Status:
    """Shows the master's state once a second.

    Args:
        board: Where it is shown.
        name: The master's name.
        incarnation: Random id of this start.
        pid: Of its process.
        leases: The slots it owns.
        desk: Inbox and ready queue.
        lanes: Runs in memory and parked lanes.
        overload: Refused starts.
        monotonic: Seconds that never go back.
    """

    def __init__(  # noqa: PLR0913, PLR0917  it reads everything
        self,
        board: StatusBoard,
        name: str,
        incarnation: str,
        pid: int,
        leases: Leases,
        desk: Desk,
        lanes: Lanes,
        overload: Overload,
        monotonic: Callable[[], float],
    ) -> None:
        self._board = board
        self._name = name
        self._incarnation = incarnation
        self._pid = pid
        self._leases = leases
        self._desk = desk
        self._lanes = lanes
        self._overload = overload
        self._monotonic = monotonic

    def step(self) -> None:
        """Show the present state.

        Raises:
            BrokerUnavailable: Redis is away.
        """
        self._board.publish(self._name, self.document())

    def leave(self) -> None:
        """Show nothing any more: the master ends in order.

        Raises:
            BrokerUnavailable: Redis is away; what is shown expires.
        """
        self._board.leave(self._name)

    def document(self) -> dict[str, Any]:
        """Return the present state, JSON-ready."""
        now = self._monotonic()
        return {
            "name": self._name,
            "incarnation": self._incarnation,
            "pid": self._pid,
            "last_heartbeat": self._desk.clock.now().isoformat(),
            "slots": sorted(self._leases.epochs),
            "epoch_max": max(self._leases.epochs.values(), default=0),
            "runs": len(self._lanes),
            "inbox": len(self._desk.inbox),
            "waiting": self._desk.ready.waiting(),
            "overloaded": self._overload.reason,
            "starts_refused": self._overload.refused,
            "parked": [
                {
                    "workflow_instance_id": number,
                    "error": parked.error,
                    "since_s": round(now - parked.since, 1),
                    "tries": parked.tries,
                    "entries": len(parked.entries),
                }
                for number, parked in list(self._lanes.parked.items())
            ],
        }
