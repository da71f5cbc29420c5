"""Owns the generation: a random word that changes whenever Redis may have forgotten claims."""

import secrets
from collections.abc import Callable
from typing import Any

import redis
from redis.exceptions import WatchError

from orchestrator.broker.connection import redis_errors
from orchestrator.broker.keys import Keys
from orchestrator.errors import BrokerUnavailable

ATTEMPTS = 10
WORD_BYTES = 8


class Generations:
    """Keeps the generation in step with the life of Redis.

    Args:
        client: From `open_redis`.
        keys: Key names.
        new_word: Makes random words.
    """

    def __init__(
        self,
        client: redis.Redis,
        keys: Keys,
        new_word: Callable[[], str] = lambda: secrets.token_hex(WORD_BYTES),
    ) -> None:
        self._client = client
        self._new_word = new_word
        self._key = keys.generation()

    def current(self) -> str:
        """Return the generation of this life of Redis; a new one if there is none.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        return self.ensure()[0]

    def ensure(self) -> tuple[str, bool]:
        """Return the generation, and whether it is new: Redis started again, failed over, or was wiped.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        with redis_errors():
            run_id = self._run_id()
            known = self._read(self._client)
            if known is not None and known[1] == run_id:
                return known[0], False
            return self._renew(run_id)

    def is_settled(self, settle_s: float) -> bool:
        """Return whether the living have had so many seconds to claim again what they hold.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        self.ensure()
        with redis_errors():
            made_at: Any = self._client.hget(self._key, "made_at")
            now_ms = self._now_ms()
            age_ms = now_ms - int(made_at or 0)
            if age_ms < 0:  # Redis' clock was put back: count from now on
                self._client.hset(self._key, "made_at", str(now_ms))
            return age_ms >= settle_s * 1000

    def _now_ms(self) -> int:
        """Return Redis' time."""
        seconds, microseconds = self._client.time()
        return int(seconds) * 1000 + int(microseconds) // 1000

    def _renew(self, run_id: str) -> tuple[str, bool]:
        """Write a new generation, unless another master was faster: then its is used."""
        for _ in range(ATTEMPTS):
            with self._client.pipeline() as opened:
                pipe: Any = opened  # `watch` has no type hints
                pipe.watch(self._key)
                known = self._read(pipe)
                if known is not None and known[1] == run_id:
                    return known[0], True
                generation = self._new_word()
                pipe.multi()
                pipe.hset(
                    self._key, mapping={"generation": generation, "run_id": run_id, "made_at": self._now_ms()}
                )
                try:
                    pipe.execute()
                except WatchError:
                    continue
                return generation, True
        raise BrokerUnavailable("Redis: the generation changes all the time")

    def _read(self, client: Any) -> tuple[str, str] | None:
        generation, run_id = client.hmget(self._key, "generation", "run_id")
        return (generation.decode(), (run_id or b"").decode()) if generation else None

    def _run_id(self) -> str:
        facts: dict[str, Any] = self._client.info("server")
        return str(facts.get("run_id", ""))


class RecentGeneration:
    """The generation as of a moment ago, so that publishing need not ask each time.

    What is published under an old one is refused by the claim, and handed over again when the change is noticed.

    Args:
        generations: Asked when the answer is too old.
        monotonic: Seconds that never go back.
        fresh_s: How long an answer is used.
    """

    def __init__(self, generations: Generations, monotonic: Callable[[], float], fresh_s: float) -> None:
        self._generations = generations
        self._monotonic = monotonic
        self._fresh_s = fresh_s
        self._known: tuple[float, str] | None = None

    def current(self) -> str:
        """Return the generation.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        now = self._monotonic()
        if self._known is None or now - self._known[0] > self._fresh_s:
            self._known = (now, self._generations.current())
        return self._known[1]

    def is_settled(self, settle_s: float) -> bool:
        """Return whether the living have had so many seconds to claim again what they hold.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        return self._generations.is_settled(settle_s)
