"""Owns what is put into the event streams: workers' events, and wake entries of whoever left a command."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import redis

from orchestrator.broker.connection import redis_errors
from orchestrator.broker.keys import Keys

WAKE = "wake"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """An event on its way into the stream of a slot."""

    slot: int
    worker: str
    spool_id: int
    payload: bytes


class EventSender:
    """A worker's side: writes.

    Args:
        client: From `open_redis`.
        keys: Key names.
    """

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def send(self, slot: int, worker: str, spool_id: int, payload: bytes) -> str:
        """Add an event to the stream of `slot` and return the entry's id.

        Raises:
            BrokerUnavailable: Redis did not answer; the event may or may not be there.
        """
        with redis_errors():
            added: Any = self._client.xadd(self._keys.events(slot), _fields(worker, spool_id, payload))
        entry_id: str = added.decode()
        return entry_id

    def send_all(self, events: Sequence[Outgoing]) -> list[str]:
        """Add events in order, in one round trip, and return the entries' ids.

        Raises:
            BrokerUnavailable: Redis did not answer; each event may or may not be there.
        """
        with redis_errors(), self._client.pipeline(transaction=False) as pipe:
            for one in events:
                pipe.xadd(self._keys.events(one.slot), _fields(one.worker, one.spool_id, one.payload))
            return [entry_id.decode() for entry_id in pipe.execute()]

    def existing(self, slot: int, ids: Collection[str]) -> set[str]:
        """Return which of the entries are still in the stream: no verdict on them was decided.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        with redis_errors(), self._client.pipeline(transaction=False) as pipe:
            for one in ids:
                pipe.xrange(self._keys.events(slot), one, one, count=1)
            return {item[0].decode() for found in pipe.execute() for item in found}

    def wake(self, slot: int) -> None:
        """Let the slot's master look for new mail.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        wake(self._client, self._keys, slot)


def _fields(worker: str, spool_id: int, payload: bytes) -> dict[Any, Any]:
    return {"w": worker, "s": spool_id, "p": payload}


def wake(client: redis.Redis, keys: Keys, slot: int) -> None:
    """Put a wake entry into the stream of `slot`.

    Raises:
        BrokerUnavailable: Redis did not answer.
    """
    with redis_errors():
        client.xadd(keys.events(slot), {"k": WAKE})
