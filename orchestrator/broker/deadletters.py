"""Owns the dead letters: events that nobody can use, kept with the reason until a person looks at them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import redis

from orchestrator.broker.codec import clean
from orchestrator.broker.connection import redis_errors
from orchestrator.broker.keys import Keys
from orchestrator.broker.stream import Entry
from orchestrator.errors import NotFound

MOST_KEPT = 10_000
MOST_SHOWN = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One buried event.

    Attributes:
        id: Its id among the dead letters.
        reason: Why it was buried.
        received_at: When it was buried, by Redis' clock, aware UTC.
        slot: Slot of the stream it came from.
        worker: Who sent it.
        spool_id: What its worker knew it by.
        payload: As it came.
        type: `RUNNING`, `RESULT`, … as far as it can be read; the following likewise.
    """

    id: str
    reason: str
    received_at: datetime
    slot: int
    worker: str
    spool_id: int
    payload: bytes
    type: str | None = None
    workflow_instance_id: int | None = None
    task: str | None = None
    attempt: int | None = None


class DeadLetters:
    """Buries events and gives them back.

    Args:
        client: From `open_redis`.
        keys: Key names.
    """

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def bury(self, entry: Entry, reason: str) -> str:
        """Keep a copy of `entry` with the reason; return its id. The newest 10,000 are kept.

        Raises:
            BrokerUnavailable: Redis did not answer; there may be a copy, and a second one after a retry.
        """
        fields: dict[Any, Any] = {
            "slot": entry.slot,
            "w": entry.worker,
            "s": entry.spool_id,
            "p": entry.payload,
            "reason": clean(reason),
        }
        with redis_errors():
            letter_id: Any = self._client.xadd(self._keys.dead(), fields, maxlen=MOST_KEPT, approximate=True)
        return str(letter_id.decode())

    def list(self, *, limit: int = MOST_SHOWN) -> list[DeadLetter]:
        """Return the newest dead letters, newest first.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        with redis_errors():
            found: Any = self._client.xrevrange(self._keys.dead(), count=limit)
        return [_letter(letter_id, fields) for letter_id, fields in found]

    def show(self, letter_id: str) -> DeadLetter:
        """Return one dead letter.

        Raises:
            NotFound: There is none with this id.
            BrokerUnavailable: Redis did not answer.
        """
        return self._find([letter_id])[0]

    def replay(self, letter_ids: Sequence[str]) -> int:
        """Put dead letters back into the streams they came from; return how many.

        Raises:
            NotFound: One of the ids does not exist; nothing was done.
            BrokerUnavailable: Redis did not answer; all were put back or none.
        """
        letters = self._find(letter_ids)
        with redis_errors(), self._client.pipeline(transaction=True) as pipe:
            for letter in letters:
                fields: dict[Any, Any] = {"w": letter.worker, "s": letter.spool_id, "p": letter.payload}
                pipe.xadd(self._keys.events(letter.slot), fields)
                pipe.xdel(self._keys.dead(), letter.id)
            pipe.execute()
        return len(letters)

    def purge(self, letter_ids: Sequence[str] | None = None) -> int:
        """Delete dead letters, all of them by default; return how many there were.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        with redis_errors():
            if letter_ids is None:
                with self._client.pipeline(transaction=True) as pipe:
                    pipe.xlen(self._keys.dead())
                    pipe.delete(self._keys.dead())
                    number, _ = pipe.execute()
                    return int(number)
            known = [one for one in letter_ids if _is_id(one)]
            return int(self._client.xdel(self._keys.dead(), *known)) if known else 0

    def _find(self, letter_ids: Sequence[str]) -> Sequence[DeadLetter]:
        for unknown in (one for one in letter_ids if not _is_id(one)):
            raise NotFound(f"no dead event {unknown}")
        with redis_errors(), self._client.pipeline(transaction=False) as pipe:
            for letter_id in letter_ids:
                pipe.xrange(self._keys.dead(), letter_id, letter_id, count=1)
            found = pipe.execute()
        for letter_id, items in zip(letter_ids, found, strict=True):
            if not items:
                raise NotFound(f"no dead event {letter_id}")
        return [_letter(*items[0]) for items in found]


class _Glimpse(msgspec.Struct):
    """What may be read of an event that could not be read whole."""

    type: str | None = None
    workflow_instance_id: int | None = None
    task: str | None = None
    attempt: int | None = None


_GLIMPSE = msgspec.json.Decoder(_Glimpse)


def _letter(letter_id: bytes, fields: Mapping[bytes, bytes]) -> DeadLetter:
    payload = fields.get(b"p", b"")
    glimpse = _glimpse(payload)
    return DeadLetter(
        id=letter_id.decode(),
        reason=fields.get(b"reason", b"").decode(errors="replace"),
        received_at=datetime.fromtimestamp(int(letter_id.partition(b"-")[0]) / 1000, UTC),
        slot=int(fields.get(b"slot", b"0")),
        worker=fields.get(b"w", b"").decode(errors="replace"),
        spool_id=int(fields.get(b"s", b"0")),
        payload=payload,
        type=glimpse.type,
        workflow_instance_id=glimpse.workflow_instance_id,
        task=glimpse.task,
        attempt=glimpse.attempt,
    )


def _glimpse(payload: bytes) -> _Glimpse:
    try:
        return _GLIMPSE.decode(payload)
    except (ValueError, RecursionError):
        return _Glimpse()


def _is_id(text: str) -> bool:
    """Return whether `text` can be the id of a stream entry."""
    first, _, second = text.partition("-")
    return all(part.isascii() and part.isdigit() and int(part) < 2**64 for part in (first, second))
