"""The simulated Redis answers what the real server answers, whatever is asked of it in whatever order."""

from typing import Any

import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Command = tuple[Any, ...]

KEYS = st.sampled_from(["a", "b", "c"])
STREAMS = st.sampled_from(["s", "t"])
GROUPS = st.sampled_from(["g", "h"])
CONSUMERS = st.sampled_from(["x", "y"])
WORDS = st.sampled_from(["", "1", "2", "-7", "word"])
NUMBERS = st.integers(-3, 3)
COUNTS = st.integers(1, 3)
IDS = st.builds("{}-{}".format, st.integers(0, 6), st.integers(0, 2))
BOUNDS = st.one_of(IDS, st.sampled_from(["-", "+", "3", "(2-1", "(4"]))

SCRIPT = """
local reply = redis.pcall(unpack(ARGV))
if type(reply) == 'table' and reply.err then return {'failed'} end
return {reply, #ARGV, false, 'after'}
"""


def command(*parts: Any) -> st.SearchStrategy[Command]:
    """A command of fixed words and random parts."""
    return st.tuples(*(part if isinstance(part, st.SearchStrategy) else st.just(part) for part in parts))


STRINGS = [
    command("SET", KEYS, WORDS),
    command("SET", KEYS, WORDS, "NX", "GET", "PX", 100_000),
    command("SET", KEYS, WORDS, "XX", "EX", 100),
    command("SET", KEYS, WORDS, "KEEPTTL"),
    command("GET", KEYS),
    command("MGET", KEYS, KEYS),
    command("INCR", KEYS),
    command("INCRBY", KEYS, NUMBERS),
    command("DEL", KEYS, KEYS),
    command("EXISTS", KEYS, KEYS),
    command("EXPIRE", KEYS, st.sampled_from([-1, 100])),
    command("PERSIST", KEYS),
    command("TTL", KEYS),
    command("TYPE", KEYS),
]
COLLECTIONS = [
    command("HSET", KEYS, WORDS, WORDS),
    command("HGET", KEYS, WORDS),
    command("HMGET", KEYS, WORDS, WORDS),
    command("HGETALL", KEYS),
    command("HLEN", KEYS),
    command("HDEL", KEYS, WORDS, WORDS),
    command("RPUSH", KEYS, WORDS, WORDS),
    command("LPUSH", KEYS, WORDS, WORDS),
    command("LPOP", KEYS),
    command("LPOP", KEYS, COUNTS),
    command("RPOP", KEYS),
    command("LLEN", KEYS),
    command("LRANGE", KEYS, NUMBERS, NUMBERS),
    command("LMPOP", 2, KEYS, KEYS, "LEFT", "COUNT", COUNTS),
    command("ZADD", KEYS, st.sampled_from([1, 2.5, "-inf", "x"]), WORDS),
    command("ZREM", KEYS, WORDS, WORDS),
    command("ZCARD", KEYS),
    command("ZSCORE", KEYS, WORDS),
    command("ZRANGE", KEYS, NUMBERS, NUMBERS, "WITHSCORES"),
    command(
        "ZREMRANGEBYSCORE", KEYS, st.sampled_from(["-inf", "(1", 0]), st.sampled_from(["+inf", 1, "(2.5"])
    ),
]
STREAM = [
    command("XADD", STREAMS, IDS, "f", WORDS),
    command("XADD", STREAMS, IDS, "f", WORDS, "g", WORDS),
    command("XADD", STREAMS, "MAXLEN", COUNTS, IDS, "f", WORDS),
    command("XADD", STREAMS, "5-*", "f", WORDS),
    command("XADD", STREAMS, "NOMKSTREAM", IDS, "f", WORDS),
    command("XLEN", STREAMS),
    command("XDEL", STREAMS, IDS, IDS),
    command("XRANGE", STREAMS, BOUNDS, BOUNDS, "COUNT", COUNTS),
    command("XRANGE", STREAMS, "-", "+"),
    command("XREVRANGE", STREAMS, BOUNDS, BOUNDS),
    command("XTRIM", STREAMS, "MAXLEN", COUNTS),
    command("DEL", STREAMS),
    command("SET", STREAMS, WORDS),
]
GROUP = [
    command("XGROUP", "CREATE", STREAMS, GROUPS, st.sampled_from(["0", "$", "3-1"]), "MKSTREAM"),
    command("XGROUP", "CREATE", STREAMS, GROUPS, "0"),
    command("XGROUP", "DESTROY", STREAMS, GROUPS),
    command("XGROUP", "DELCONSUMER", STREAMS, GROUPS, CONSUMERS),
    command("XREADGROUP", "GROUP", GROUPS, CONSUMERS, "COUNT", COUNTS, "STREAMS", STREAMS, ">"),
    command("XREADGROUP", "GROUP", GROUPS, CONSUMERS, "COUNT", COUNTS, "STREAMS", STREAMS, IDS),
    command("XREADGROUP", "GROUP", GROUPS, CONSUMERS, "STREAMS", "s", "t", ">", "0"),
    command("XACK", STREAMS, GROUPS, IDS, IDS),
    command("XPENDING", STREAMS, GROUPS),
    command("XCLAIM", STREAMS, GROUPS, CONSUMERS, 0, IDS, IDS),
    command("XAUTOCLAIM", STREAMS, GROUPS, CONSUMERS, 0, BOUNDS, "COUNT", COUNTS),
    command("XAUTOCLAIM", STREAMS, GROUPS, CONSUMERS, 1_000_000, "0-0"),
]
INTROSPECTION = [
    command("XINFO", "CONSUMERS", STREAMS, GROUPS),
    command("XPENDING", STREAMS, GROUPS, "-", "+", COUNTS, CONSUMERS),
]
ANY = st.one_of(*STRINGS, *COLLECTIONS, *STREAM, *GROUP, *INTROSPECTION)
SCRIPTED = st.builds(
    lambda one: ("EVAL", SCRIPT, 0, *one), st.one_of(*STRINGS, *COLLECTIONS, *STREAM, *GROUP)
)
PROGRAMS = st.one_of(
    st.lists(st.one_of(*STRINGS, *COLLECTIONS), min_size=5, max_size=25),
    st.lists(st.one_of(*STREAM, *GROUP, *GROUP, *INTROSPECTION), min_size=10, max_size=40),
    st.lists(st.one_of(ANY, SCRIPTED), min_size=5, max_size=25),
)


def replies(client: redis.Redis, commands: list[Command], *, transaction: bool) -> list[Any]:
    """What a server answers to `commands`, without what depends on the clock."""
    client.flushall()
    with client.pipeline(transaction=transaction) as opened:
        pipe: Any = opened  # not all of it has type hints
        pipe.response_callbacks = {}  # raw replies
        for one in commands:
            pipe.execute_command(*one)
        return [
            comparable(one, reply)
            for one, reply in zip(commands, pipe.execute(raise_on_error=False), strict=True)
        ]


def comparable(asked: Command, reply: Any) -> Any:
    """A reply without idle times; of an error, its kind and its first word."""
    if isinstance(reply, Exception):
        return type(reply).__name__, str(reply).split(" ")[0].isupper() and str(reply).split(" ")[0]
    if asked[0] == "XINFO":
        return [consumer[:4] for consumer in reply]
    if asked[0] == "XPENDING" and len(asked) > 3:
        return [[one[0], one[1], one[3]] for one in reply]
    return reply


@given(commands=PROGRAMS, transaction=st.booleans())
@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_replies_are_those_of_the_real_server(
    redis_client: redis.Redis, simulated_redis: redis.Redis, commands: list[Command], *, transaction: bool
) -> None:
    """Values, errors and what is left behind, command by command."""
    real = replies(redis_client, commands, transaction=transaction)
    simulated = replies(simulated_redis, commands, transaction=transaction)

    assert simulated == real
