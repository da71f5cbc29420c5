"""Owns the inbox of a worker: verdicts about its reports, and requests to stop attempts."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import msgspec
import redis

from orchestrator.broker.connection import longest_block_ms, redis_errors
from orchestrator.broker.keys import INBOX_TTL_S, STOP_TTL_S, Keys

MOST_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a master decided about one report.

    Attributes:
        verdict: `ok`, `stale` (stop the attempt if it still runs) or `buried`.
    """

    spool_id: int
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequest:
    """An attempt that shall end, and why."""

    order_id: str
    reason: str


class WorkerInbox:
    """A worker's side.

    Args:
        client: From `open_redis`, with a `block_s` above the longest wait asked for.
        keys: Key names.
        worker: The worker's name.
    """

    def __init__(self, client: redis.Redis, keys: Keys, worker: str) -> None:
        self._client = client
        self._key = keys.inbox(worker)
        self._pop: Any = client.blmpop  # its type hints know whole seconds only; the command takes any

    def receive(self, timeout_s: float) -> list[Verdict | StopRequest]:
        """Return what came in, oldest first, waiting up to `timeout_s` for the first; empty when nothing did.

        What a lost reply held is lost: a report without a verdict is sent again, a stop request stands in the
        answer to the next heartbeat too.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        # 0 would mean "for ever" to Redis
        wait_s = max(min(timeout_s, longest_block_ms(self._client) / 1000), 0.001)
        with redis_errors():
            answer = self._pop(wait_s, 1, self._key, direction="LEFT", count=MOST_AT_ONCE)
        messages = (_message(one) for one in answer[1]) if answer else ()
        return [one for one in messages if one is not None]


class Stops:
    """A master's side of ending attempts.

    Args:
        client: From `open_redis`.
        keys: Key names.
    """

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def request(self, worker: str, order_ids: Collection[str], reason: str) -> None:
        """Ask `worker` to end attempts: now by its inbox, and by a marker that its heartbeats find.

        Args:
            worker: Its name; empty when it is not known: then only the markers are set.
            order_ids: The hand-overs to end.
            reason: One word or line, handed on to the worker.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        if not order_ids:
            return
        with redis_errors(), self._client.pipeline(transaction=False) as pipe:
            for order_id in order_ids:
                pipe.set(self._keys.stop(order_id), reason, ex=STOP_TTL_S)
            if worker:
                messages = [_encoded({"stop": one, "reason": reason}) for one in order_ids]
                pipe.rpush(self._keys.inbox(worker), *messages)
                pipe.expire(self._keys.inbox(worker), INBOX_TTL_S)
            pipe.execute()


def verdict_message(spool_id: int, verdict: str) -> bytes:
    """Return a verdict as it stands in an inbox."""
    return b'{"verdict":"%s","spool_id":%d}' % (verdict.encode(), spool_id)


class _Message(msgspec.Struct):
    """Either a verdict or a stop request, as it stands in an inbox."""

    verdict: str = ""
    spool_id: int = 0
    stop: str = ""
    reason: str = ""


_DECODER = msgspec.json.Decoder(_Message)
_encoded = msgspec.json.Encoder().encode


def _message(raw: bytes) -> Verdict | StopRequest | None:
    """Return one message, or `None` for what no master of this version writes."""
    try:
        message = _DECODER.decode(raw)
    except ValueError:
        return None
    if message.stop:
        return StopRequest(order_id=message.stop, reason=message.reason)
    return Verdict(spool_id=message.spool_id, verdict=message.verdict) if message.verdict else None
