"""Owns the question whether an attempt that was ended for its timeout had earned that, though its script ends."""

from collections.abc import Sequence
from typing import Any

import msgspec

from tests.simulation.plan import FORGETFUL, Script
from tests.simulation.workload_moments import OVERDUE_S
from tests.simulation.world import World

NEAR_S = 0.25

HINDERING = ("commit_", "database_", "master_")
"""How the faults begin after which a master may have read a report that nobody could act upon at once."""


class Timeouts:
    """Judges the timeouts of one world.

    Args:
        world: When it is over.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        happened = set(world.ledger.faults)
        self._unclear = bool(FORGETFUL & happened) or "database_clock_jumps" in happened
        alone = [master.reigns for master in world.masters] == [1]
        self._acts_at_once = alone and not any(one.startswith(HINDERING) for one in happened)

    def is_earned(self, row: Any) -> bool:
        """Return whether an attempt that its script lets end by itself may have been ended for its timeout.

        By its worker: after so much time. By a master: only if no report of its end stood in the stream when
        masters end it although its worker says nothing, and none that came later was with the master already
        (PROTOCOL 6: reports come before timers).
        """
        script = self._world.scripts.get(row["workflow_instance_id"], {}).get(row["task"], Script())
        if row["type"] != "noop" or row["state"] != "FAILURE" or row["reason"] != "timeout" or script.hangs:
            return False
        limit_s = self._world.timeout_s(row["workflow_instance_id"], row["task"])
        if limit_s is None or row["started_at"] is None:
            return False
        if row["reported"]:
            return self._lasted_s(row) >= limit_s - NEAR_S
        due_s = self._world.schedule.seconds_at(row["started_at"]) + limit_s + OVERDUE_S
        if self._unclear:
            return True
        if self._acts_at_once and self._said_s(row, self._world.weather.read) < self._ended_s(row):
            return False
        return self._said_s(row, self._world.weather.results) > due_s - NEAR_S

    def _ended_s(self, row: Any) -> float:
        return self._world.schedule.seconds_at(row["ended_at"])

    def _lasted_s(self, row: Any) -> float:
        """Return the longest execution of an attempt."""
        key = (row["workflow_instance_id"], row["task"], row["attempt"])
        lasted = [
            one.ended_s - one.began_s
            for one in self._world.ledger.executions
            if one.key == key and one.ended_s is not None
        ]
        return max(lasted, default=0.0)

    def _said_s(self, row: Any, results: Sequence[tuple[float, bytes]]) -> float:
        """Return when the end of a hand-over is first among `results`; in infinity if it never is."""
        said = {name: row[name] for name in ("workflow_instance_id", "task", "attempt", "dispatch", "ticket")}
        for at_s, payload in results:
            event = msgspec.json.decode(payload)
            if said.items() <= event.items():
                return at_s
        return float("inf")
