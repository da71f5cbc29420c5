"""Owns the signs of life that tell a supervisor whether its master and workers are ready.

It knows the broker only: a supervisor must start fast, and the database's libraries are slow to load.
"""

from collections.abc import Sequence

from orchestrator.broker.connection import open_redis
from orchestrator.broker.keys import Keys
from orchestrator.broker.masters import MasterBoard
from orchestrator.broker.presence import Presence, WorkerBeat
from orchestrator.errors import BrokerUnavailable


class RedisSigns:
    """Reads who has shown itself in Redis.

    Args:
        redis_url: The Redis.
        key_prefix: Prefix of all keys.
        lost_s: A worker that has been silent for so long does not count.
    """

    def __init__(self, redis_url: str, key_prefix: str, lost_s: float) -> None:
        client, keys = open_redis(redis_url), Keys(key_prefix)
        self._board = MasterBoard(client, keys)
        self._presence = Presence(client, keys)
        self._lost_s = lost_s

    def masters(self, pids: Sequence[int]) -> bool:
        """Return whether the masters with these process ids (none: any master) show that they live."""
        try:
            shown = self._board.all()
        except BrokerUnavailable:
            return False
        if not pids:
            return bool(shown)
        known = {one.get("pid") for one in shown}
        return set(pids) <= known

    def workers(self, pids: Sequence[int]) -> bool:
        """Return whether the workers with these process ids (none: any worker) show that they live."""
        living = self._living()
        return set(pids) <= {beat.pid for beat in living} if pids else bool(living)

    def groups(self) -> frozenset[str]:
        """Return the groups that living workers serve."""
        return frozenset(group for beat in self._living() for group in beat.groups)

    def _living(self) -> list[WorkerBeat]:
        try:
            now, beats = self._presence.living()
        except BrokerUnavailable:
            return []
        return [beat for beat, seen in beats if (now - seen).total_seconds() <= self._lost_s]
