"""Owns the event streams as masters see them: one per slot, read through a consumer group, and acknowledged."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import redis
from redis.exceptions import ResponseError

from orchestrator.broker.connection import longest_block_ms, redis_errors
from orchestrator.broker.inbox import verdict_message
from orchestrator.broker.keys import GROUP, INBOX_TTL_S, Keys
from orchestrator.broker.sender import WAKE, wake
from orchestrator.broker.takeover import Takeover

EVENT = "event"
NEW = ">"
MOST_DIGITS = 18
"""Of a spool id: SQLite's integers have 64 bits, and Python refuses to read very long numbers."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One stream entry.

    Attributes:
        id: Its id in the stream.
        worker: Name of the worker that hears the verdict; empty: nobody does.
        spool_id: What the worker knows the event by.
        payload: For `codec.decode`; empty in a wake entry.
        kind: `event`, or `wake`: new mail is waiting for this slot.
    """

    slot: int
    id: str
    worker: str = ""
    spool_id: int = 0
    payload: bytes = b""
    kind: str = EVENT


class EventStream:
    """A master's side: reads, and gives verdicts.

    Args:
        client: From `open_redis`, with a `block_s` above the longest `block_ms` asked for.
        keys: Key names.
        consumer: The master's name; what it has read and not acknowledged waits for it under this name.
    """

    def __init__(self, client: redis.Redis, keys: Keys, consumer: str) -> None:
        self._client = client
        self._keys = keys
        self._consumer = consumer
        self._key_of: dict[int, bytes] = {}
        self._slot_of: dict[bytes, int] = {}
        self._takeover = Takeover(client, keys, consumer)

    def ensure_groups(self, slots: Iterable[int]) -> None:
        """Create what is missing of the slots' streams and groups; groups begin at the first entry.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        with redis_errors(), self._client.pipeline(transaction=False) as pipe:
            for slot in slots:
                pipe.xgroup_create(self._keys.events(slot), GROUP, id="0", mkstream=True)
            for answer in pipe.execute(raise_on_error=False):
                if isinstance(answer, Exception) and "BUSYGROUP" not in str(answer):
                    raise answer

    def read(
        self,
        slots: Sequence[int],
        *,
        count: int,
        block_ms: int | None = None,
        pending_after: Mapping[int, str] | None = None,
    ) -> list[Entry]:
        """Return entries in the order of each stream, at most `count` per slot.

        Args:
            slots: The slots to read; entries of one slot stand together.
            count: Most entries per slot; fewer of a slot mean that it was read to its end.
            block_ms: Wait this long for new entries; `None` does not wait. Cut to what the socket allows.
            pending_after: Read own pending entries instead: per slot those behind this id. Entries that were
                deleted meanwhile are acknowledged and left out; none for a slot means that it has no more.

        Raises:
            BrokerUnavailable: Redis did not answer. What the lost reply held is pending now.
        """
        if not slots:
            return []
        if pending_after is not None:
            return self._read_pending({slot: pending_after.get(slot, "0") for slot in slots}, count)
        block = min(block_ms, longest_block_ms(self._client)) if block_ms else None
        found, _ = self._read_group(dict.fromkeys(slots, NEW), count, block)
        return found

    def fetch(self, slot: int, ids: Sequence[str]) -> list[Entry]:
        """Return those of the entries that are still in the slot's stream, in the order of `ids`.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        with redis_errors(), self._client.pipeline(transaction=False) as pipe:
            for one in ids:
                pipe.xrange(self._keys.events(slot), one, one, count=1)
            return [_entry(slot, *item) for found in pipe.execute() for item in found]

    def claim_pending(self, slots: Iterable[int], *, min_idle_ms: int = 0) -> int:
        """Take over what other consumers read and did not acknowledge.

        Consumers that hold nothing are forgotten: each start of a master is a new one. Return how many entries
        are this consumer's now in the slots where others held some.

        Args:
            slots: The slots concerned.
            min_idle_ms: Only entries that nobody touched for this long.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        taken = list(slots)
        with redis_errors():
            return self._regroup(taken, lambda: self._takeover.take(taken, min_idle_ms))

    def acknowledge(self, verdicts: Sequence[tuple[Entry, str]]) -> None:
        """Remove entries from their streams and tell the verdicts (`ok`, `stale`, `buried`) to the workers.

        Raises:
            BrokerUnavailable: Redis did not answer; each entry may or may not be gone.
        """
        by_slot: dict[int, list[str]] = {}
        by_worker: dict[str, list[bytes]] = {}
        for entry, verdict in verdicts:
            by_slot.setdefault(entry.slot, []).append(entry.id)
            if entry.worker:
                by_worker.setdefault(entry.worker, []).append(verdict_message(entry.spool_id, verdict))
        with redis_errors(), self._client.pipeline(transaction=False) as pipe:
            for slot, ids in by_slot.items():
                pipe.xack(self._keys.events(slot), GROUP, *ids)
                pipe.xdel(self._keys.events(slot), *ids)
            for worker, messages in by_worker.items():
                pipe.rpush(self._keys.inbox(worker), *messages)
                pipe.expire(self._keys.inbox(worker), INBOX_TTL_S)
            pipe.execute()

    def wake(self, slot: int) -> None:
        """Let the slot's master look for new mail.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        wake(self._client, self._keys, slot)

    def lag(self, slots: Sequence[int]) -> dict[int, int]:
        """Return per slot how many entries have no verdict yet.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        with redis_errors(), self._client.pipeline(transaction=False) as pipe:
            for slot in slots:
                pipe.xlen(self._keys.events(slot))
            return dict(zip(slots, pipe.execute(), strict=True))

    def _read_pending(self, after: dict[int, str], count: int) -> list[Entry]:
        """Read own pending entries; a slot where all of them were deleted is read once more."""
        entries: list[Entry] = []
        while after:
            found, deleted = self._read_group(after, count, None)
            entries += found
            self._drop(deleted)
            alive = {entry.slot for entry in found}
            after = {slot: ids[-1] for slot, ids in deleted.items() if slot not in alive}
        return entries

    def _read_group(
        self, after: Mapping[int, str], count: int, block_ms: int | None
    ) -> tuple[list[Entry], dict[int, list[str]]]:
        """Return the entries that are there, and the ids of those that were deleted, by slot."""
        streams = self._named(after)
        with redis_errors():
            answer: Any = self._regroup(
                after,
                lambda: self._client.xreadgroup(GROUP, self._consumer, streams, count=count, block=block_ms),
            )
        found: list[Entry] = []
        deleted: dict[int, list[str]] = {}
        for key, items in answer or ():
            slot = self._slot_of[key]
            for item in items:
                if item[1]:
                    found.append(_entry(slot, *item))
                else:
                    deleted.setdefault(slot, []).append(item[0].decode())
        return found, deleted

    def _named(self, after: Mapping[int, str]) -> dict[Any, Any]:
        """Return `after` by the names of the streams, which are made once: every read names them all."""
        try:
            return {self._key_of[slot]: last for slot, last in after.items()}
        except KeyError:
            for slot in after.keys() - self._key_of.keys():
                key = self._key_of[slot] = self._keys.events(slot).encode()
                self._slot_of[key] = slot
            return self._named(after)

    def _regroup(self, slots: Iterable[int], command: Callable[[], T]) -> T:
        """Run `command`; if Redis was wiped, create the groups again and run it once more."""
        try:
            return command()
        except ResponseError as error:
            if not any(word in str(error) for word in ("NOGROUP", "UNBLOCKED")):
                raise
        self.ensure_groups(slots)
        return command()

    def _drop(self, ids: Mapping[int, Sequence[str]]) -> None:
        """Acknowledge entries that are gone, so that they do not come again."""
        if not ids:
            return
        with redis_errors(), self._client.pipeline(transaction=False) as pipe:
            for slot, some in ids.items():
                pipe.xack(self._keys.events(slot), GROUP, *some)
            pipe.execute()


def _entry(slot: int, entry_id: bytes, fields: Mapping[bytes, bytes]) -> Entry:
    """Return an entry whatever its fields are: what is missing leads to an event that cannot be decoded."""
    if fields.get(b"k") == WAKE.encode():
        return Entry(slot=slot, id=entry_id.decode(), kind=WAKE)
    spool_id = fields.get(b"s", b"")
    return Entry(
        slot=slot,
        id=entry_id.decode(),
        worker=fields.get(b"w", b"").decode(errors="replace"),
        spool_id=int(spool_id) if spool_id.isdigit() and len(spool_id) <= MOST_DIGITS else 0,
        payload=fields.get(b"p", b""),
    )
