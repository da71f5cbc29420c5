"""Owns the takeover: entries that another master read and did not acknowledge, and consumers that are gone."""

from collections.abc import Sequence
from typing import Any

import redis

from orchestrator.broker.keys import GROUP, Keys

CLAIM_BATCH = 1_000

FORGET = """
-- KEYS: streams   ARGV: group, own consumer.   One step: what is deleted holds nothing at that moment, and a
-- consumer that is alive all the same comes back with its next reading.
for _, key in ipairs(KEYS) do
  local consumers = redis.pcall('XINFO', 'CONSUMERS', key, ARGV[1])
  for _, fields in ipairs(consumers.err and {} or consumers) do
    local consumer = {}
    for number = 1, #fields, 2 do consumer[fields[number]] = fields[number + 1] end
    if consumer.pending == 0 and consumer.name ~= ARGV[2] then
      redis.call('XGROUP', 'DELCONSUMER', key, ARGV[1], consumer.name)
    end
  end
end
"""


class Takeover:
    """Moves pending entries to one consumer. Driver errors leave as they are; `EventStream` translates them.

    Args:
        client: From `open_redis`.
        keys: Key names.
        consumer: Who takes over.
    """

    def __init__(self, client: redis.Redis, keys: Keys, consumer: str) -> None:
        self._client = client
        self._keys = keys
        self._consumer = consumer
        self._forget: Any = client.register_script(FORGET)

    def take(self, slots: Sequence[int], min_idle_ms: int) -> int:
        """Take what others hold in streams whose groups exist, and forget consumers that hold nothing.

        Return how many entries are this consumer's now in the slots where others held some.
        """
        claimed = sum(self._claim(slot, min_idle_ms) for slot in self._slots_of_others(slots))
        self._forget(keys=[self._keys.events(slot) for slot in slots], args=[GROUP, self._consumer])
        return claimed

    def _slots_of_others(self, slots: Sequence[int]) -> list[int]:
        with self._client.pipeline(transaction=False) as pipe:
            for slot in slots:
                pipe.xpending(self._keys.events(slot), GROUP)
            summaries = pipe.execute()
        own = self._consumer.encode()
        return [
            slot
            for slot, summary in zip(slots, summaries, strict=True)
            if any(consumer["name"] != own for consumer in summary["consumers"])
        ]

    def _claim(self, slot: int, min_idle_ms: int) -> int:
        claimed, cursor = 0, b"0-0"
        while True:
            answer: Any = self._client.xautoclaim(
                self._keys.events(slot), GROUP, self._consumer, min_idle_ms, cursor, CLAIM_BATCH
            )
            cursor = answer[0]
            claimed += len(answer[1])
            if cursor == b"0-0":
                return claimed
