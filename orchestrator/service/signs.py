"""Owns the signs of life that tell a supervisor whether its master and workers are ready.

It knows the broker only: a supervisor must start fast, and the database's libraries are slow to load.
"""

from collections.abc import Sequence
from typing import Any

from orchestrator.broker.connection import open_redis, redis_errors
from orchestrator.broker.keys import MASTER_TTL_S, Keys
from orchestrator.broker.masters import MasterBoard
from orchestrator.broker.presence import Presence, WorkerBeat
from orchestrator.config import Settings
from orchestrator.errors import BrokerUnavailable


class RedisSigns:
    """Reads who has shown itself in Redis.

    Args:
        redis_url: The Redis.
        key_prefix: Prefix of all keys.
        fresh_s: Who has been silent for so long does not count.
        is_shared: Others may have masters and workers on this Redis.
    """

    def __init__(self, redis_url: str, key_prefix: str, fresh_s: float, *, is_shared: bool) -> None:
        self._is_shared = is_shared
        self._client, self._keys = open_redis(redis_url), Keys(key_prefix)
        self._board = MasterBoard(self._client, self._keys)
        self._presence = Presence(self._client, self._keys)
        self._fresh_s = fresh_s

    def masters(self, pids: Sequence[int]) -> bool:
        """Return whether one of the masters with these process ids coordinates, or, where it is shared, another.

        A master that waits for another one's leases shows nothing.
        """
        try:
            known = {one.get("pid") for one in self._board.all()}
        except BrokerUnavailable:
            return False
        return bool(known & set(pids)) or (self._is_shared and self.has_master())

    def has_master(self) -> bool:
        """Return whether any master has shown itself as often as living ones do."""
        try:
            return has_master(self._client, self._keys, self._fresh_s)
        except BrokerUnavailable:
            return False

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
        return [beat for beat, seen in beats if (now - seen).total_seconds() <= self._fresh_s]


def has_master(client: Any, keys: Keys, fresh_s: float) -> bool:
    """Return whether any master has shown itself within the last `fresh_s` seconds.

    Raises:
        BrokerUnavailable: Redis did not answer.
    """
    names = [str(one["name"]) for one in MasterBoard(client, keys).all()]
    with redis_errors():
        left: list[Any] = [client.ttl(keys.master(name)) for name in names]
    return any(MASTER_TTL_S - seconds <= fresh_s for seconds in left if seconds > 0)


def check_services(settings: Settings) -> None:
    """Return if the services that the settings name can be used; a set-up could only wait for them.

    Raises:
        SettingsError: Celery has nothing that speaks to the broker.
        BrokerUnavailable: Redis does not answer.
    """
    if settings.broker_url is not None:
        from orchestrator.broker.transport import check_transport  # noqa: PLC0415 - kombu is slow to load

        check_transport(settings.broker_url)
    if settings.redis_url is not None:
        check_redis(settings.redis_url)


def check_redis(redis_url: str) -> None:
    """Return if this Redis answers.

    Raises:
        BrokerUnavailable: It does not; the message names the place.
    """
    with redis_errors(), open_redis(redis_url) as client:
        client.ping()
