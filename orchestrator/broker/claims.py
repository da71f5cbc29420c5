"""Owns the claims: who may run a hand-over, decided once, by scripts that survive a lost reply."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import redis

from orchestrator.broker.connection import redis_errors
from orchestrator.broker.keys import CLAIM_TTL_S, Keys

NOTHING: Mapping[str, str] = MappingProxyType({})

RECALLED = "recalled"
"""Value of a claim that a master holds: any master's, so that a repeated recall is the same recall."""

CLAIM = """
-- KEYS: claim, generation, stream   ARGV: value, generation, ttl in ms, and of RUNNING: worker, spool id, payload
local known = redis.call('HMGET', KEYS[2], 'generation', 'run_id')
if known[1] ~= ARGV[2] then return {'OLD_GENERATION'} end
-- a Redis that restarted may have forgotten claims; until a master has noticed, nothing starts
local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
if run_id and run_id ~= known[2] then return {'OLD_GENERATION'} end
local held = redis.call('SET', KEYS[1], ARGV[1], 'NX', 'GET', 'PX', ARGV[3])
if held and held ~= ARGV[1] then return {'TAKEN', held} end
if #ARGV < 6 then return {'CLAIMED', ARGV[1]} end
return {'CLAIMED', ARGV[1], redis.call('XADD', KEYS[3], '*', 'w', ARGV[4], 's', ARGV[5], 'p', ARGV[6])}
"""

RENEW = """
-- KEYS: claims   ARGV: holder, ttl in ms
local lost = {}
for number, key in ipairs(KEYS) do
  local held = redis.call('SET', key, ARGV[1] .. '|', 'NX', 'GET', 'PX', ARGV[2])
  if held then
    if string.sub(held, 1, #ARGV[1] + 1) == ARGV[1] .. '|' then
      redis.call('PEXPIRE', key, ARGV[2])
    else
      lost[#lost + 1] = number
    end
  end
end
return lost
"""

RECALL = """
-- KEYS: claims, generation   ARGV: value, ttl in ms, settling time in ms, generation of each hand-over
local settle, present, settled = tonumber(ARGV[3]), nil, true
if settle > 0 then
  -- a Redis that lost its memory has forgotten claims: until the living have claimed again, "free" means nothing
  local known = redis.call('HMGET', KEYS[#KEYS], 'generation', 'run_id', 'made_at')
  local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
  if not known[1] or (run_id and run_id ~= known[2]) then return {} end
  local now, made_at = redis.call('TIME'), tonumber(known[3] or 0)
  local age = now[1] * 1000 + math.floor(now[2] / 1000) - made_at
  -- its clock was put back: count from now on
  if age < 0 then redis.call('HSET', KEYS[#KEYS], 'made_at', string.format('%.0f', made_at + age)) end
  present = known[1]
  settled = age >= settle
end
local holders = {}
for number = 1, #KEYS - 1 do
  if settled or ARGV[3 + number] == present then
    holders[number] = redis.call('SET', KEYS[number], ARGV[1], 'NX', 'GET', 'PX', ARGV[2]) or ARGV[1]
  else
    holders[number] = ''
  end
end
return holders
"""


class ClaimAnswer(StrEnum):
    """What became of an attempt to claim a hand-over."""

    CLAIMED = "CLAIMED"
    TAKEN = "TAKEN"
    OLD_GENERATION = "OLD_GENERATION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The answer to a claim.

    Attributes:
        holder: `worker|incarnation` of who holds it, or `recalled`; `None` under an old generation.
        entry: Id of the stream entry of the RUNNING event, if one was to be added and was.
    """

    answer: ClaimAnswer
    holder: str | None = None
    entry: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallAnswer:
    """The answer to a recall.

    Attributes:
        won: A master holds the claim: nobody runs this hand-over, nor ever will.
        holder: `worker|incarnation` of the worker that holds it, if not won.
    """

    order_id: str
    won: bool
    holder: str | None = None


class Claims:
    """Sets, renews and takes back claims. A claim holds `worker|incarnation|nonce`, or `recalled`.

    Args:
        client: From `open_redis`: one that does not repeat commands.
        keys: Key names.
    """

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._claim: Any = client.register_script(CLAIM)
        self._renew: Any = client.register_script(RENEW)
        self._recall: Any = client.register_script(RECALL)

    def claim(
        self,
        order_id: str,
        holder: str,
        nonce: str,
        generation: str,
        ttl_s: float = CLAIM_TTL_S,
        *,
        running: tuple[int, int, bytes] | None = None,
    ) -> ClaimAnswer:
        """Do as `ask` does; return the answer alone."""
        return self.ask(order_id, holder, nonce, generation, ttl_s, running=running).answer

    def ask(
        self,
        order_id: str,
        holder: str,
        nonce: str,
        generation: str,
        ttl_s: float = CLAIM_TTL_S,
        *,
        running: tuple[int, int, bytes] | None = None,
    ) -> Claim:
        """Claim a hand-over for `holder`, and report RUNNING in the same step.

        A second call with the same nonce is the same claim: its first reply may have been lost. It adds the
        RUNNING event again; the master drops the repeat.

        Args:
            order_id: The hand-over.
            holder: `worker|incarnation`.
            nonce: Random, one for each delivery of the message.
            generation: The one that stands in the message.
            ttl_s: Seconds the claim lives without renewal; longer than its message.
            running: Slot, spool id and payload of the event to add to the stream if the claim is won.

        Raises:
            BrokerUnavailable: Redis did not answer: the claim may or may not be set; do not start.
        """
        keys = [self._keys.claim(order_id), self._keys.generation()]
        arguments: list[Any] = [f"{holder}|{nonce}", generation, int(ttl_s * 1000)]
        if running is not None:
            slot, spool_id, payload = running
            keys.append(self._keys.events(slot))
            arguments += [holder.partition("|")[0], spool_id, payload]
        with redis_errors():
            answer = [part.decode() for part in self._claim(keys=keys, args=arguments)]
        word, held, entry = (*answer, "", "")[:3]
        return Claim(answer=ClaimAnswer(word), holder=_holder(held) or None, entry=entry or None)

    def renew(self, order_ids: Sequence[str], holder: str, *, ttl_s: float = CLAIM_TTL_S) -> frozenset[str]:
        """Prolong claims of `holder`, setting those again that Redis forgot; return those somebody else holds.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        if not order_ids:
            return frozenset()
        with redis_errors():
            lost = self._renew(keys=self._claim_keys(order_ids), args=[holder, int(ttl_s * 1000)])
        return frozenset(order_ids[number - 1] for number in lost)

    def recall(
        self,
        order_ids: Sequence[str],
        *,
        published: Mapping[str, str] = NOTHING,
        settle_s: float = 0.0,
        ttl_s: float = CLAIM_TTL_S,
    ) -> list[RecallAnswer]:
        """Try to take hand-overs back; won are those that no worker has claimed, now or in an earlier recall.

        No answer is given about a hand-over whose claim Redis may have forgotten: one of before the present
        generation, as long as that is younger than `settle_s`, and every one while nobody has noticed yet that
        Redis started again. By then the heartbeats of the living have claimed again what they hold.

        Args:
            order_ids: The hand-overs.
            published: The generation under which a hand-over was published, where it is known.
            settle_s: How long the living need to claim again, in seconds; 0: ask nothing, take what is free.
            ttl_s: Seconds the claim lives.

        Raises:
            BrokerUnavailable: Redis did not answer: ask again.
        """
        if not order_ids:
            return []
        generations = [published.get(one, "") for one in order_ids]
        with redis_errors():
            holders = self._recall(
                keys=[*self._claim_keys(order_ids), self._keys.generation()],
                args=[RECALLED, int(ttl_s * 1000), int(settle_s * 1000), *generations],
            )
        return [
            RecallAnswer(order_id=order_id, won=value == RECALLED, holder=_holder_but_master(value))
            for order_id, value in zip(order_ids, map(bytes.decode, holders), strict=False)
            if value
        ]

    def _claim_keys(self, order_ids: Sequence[str]) -> list[str]:
        return [self._keys.claim(order_id) for order_id in order_ids]


def _holder_but_master(value: str) -> str | None:
    return None if value == RECALLED else _holder(value)


def _holder(value: str) -> str:
    """Return a claim's value without its nonce."""
    return value if value == RECALLED else value.rpartition("|")[0]
