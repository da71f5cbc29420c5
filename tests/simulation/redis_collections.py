"""Owns the simulated Redis' commands on hashes, lists and sorted sets."""

from collections.abc import Mapping
from typing import Any

from redis.exceptions import ResponseError

from tests.simulation.redis_keyspace import Arguments, Command, Keyspace
from tests.simulation.redis_values import SYNTAX_ERROR, Hash, List, SortedSet, score, shown, slice_of, whole


def _hset(space: Keyspace, arguments: Arguments) -> int:
    key, *pairs = arguments
    if not pairs or len(pairs) % 2:
        raise ResponseError("wrong number of arguments for 'hset' command")
    value = space.obtain(key, Hash)
    before = len(value)
    value.update(zip(pairs[::2], pairs[1::2], strict=True))
    return len(value) - before


def _hget(space: Keyspace, arguments: Arguments) -> bytes | None:
    key, field = arguments
    value = space.find(key, Hash)
    return None if value is None else value.get(field)


def _hmget(space: Keyspace, arguments: Arguments) -> list[bytes | None]:
    key, *fields = arguments
    value = space.find(key, Hash) or Hash()
    return [value.get(field) for field in fields]


def _hgetall(space: Keyspace, arguments: Arguments) -> list[bytes]:
    return [part for pair in (space.find(arguments[0], Hash) or {}).items() for part in pair]


def _hlen(space: Keyspace, arguments: Arguments) -> int:
    return len(space.find(arguments[0], Hash) or ())


def _hdel(space: Keyspace, arguments: Arguments) -> int:
    key, *fields = arguments
    value = space.change(key, Hash)
    if value is None:
        return 0
    removed = sum([value.pop(field, None) is not None for field in fields])
    space.remove_if_empty(key)
    return removed


def _rpush(space: Keyspace, arguments: Arguments) -> int:
    key, *elements = arguments
    value = space.obtain(key, List)
    value.extend(elements)
    return len(value)


def _lpush(space: Keyspace, arguments: Arguments) -> int:
    key, *elements = arguments
    value = space.obtain(key, List)
    value.extendleft(elements)
    return len(value)


def _lpop(space: Keyspace, arguments: Arguments) -> bytes | list[bytes] | None:
    return _pop(space, arguments, left=True)


def _rpop(space: Keyspace, arguments: Arguments) -> bytes | list[bytes] | None:
    return _pop(space, arguments, left=False)


def _pop(space: Keyspace, arguments: Arguments, *, left: bool) -> bytes | list[bytes] | None:
    key, *count = arguments
    found = _taken(space, key, whole(count[0]) if count else 1, left=left)
    return found if count or found is None else found[0]


def _taken(space: Keyspace, key: bytes, count: int, *, left: bool) -> list[bytes] | None:
    """Remove and return up to `count` elements; `None` if there is no such list."""
    value = space.change(key, List)
    if value is None:
        return None
    pop = value.popleft if left else value.pop
    found = [pop() for _ in range(min(count, len(value)))]
    space.remove_if_empty(key)
    return found


def _blmpop(space: Keyspace, arguments: Arguments) -> list[Any] | None:
    """Answer at once, as if the time to wait were over."""
    return _lmpop(space, arguments[1:])


def _lmpop(space: Keyspace, arguments: Arguments) -> list[Any] | None:
    number = whole(arguments[0])
    keys, (side, *options) = arguments[1 : number + 1], arguments[number + 1 :]
    count = whole(options[1]) if options else 1
    for key in keys:
        found = _taken(space, key, count, left=side.upper() == b"LEFT")
        if found:
            return [key, found]
    return None


def _llen(space: Keyspace, arguments: Arguments) -> int:
    return len(space.find(arguments[0], List) or ())


def _lrange(space: Keyspace, arguments: Arguments) -> list[bytes]:
    key, start, stop = arguments
    value = list(space.find(key, List) or ())
    return value[slice_of(whole(start), whole(stop), len(value))]


def _zadd(space: Keyspace, arguments: Arguments) -> int:
    key, *pairs = arguments
    if not pairs or len(pairs) % 2:
        raise ResponseError(SYNTAX_ERROR)
    scores = [score(one) for one in pairs[::2]]
    value = space.obtain(key, SortedSet)
    before = len(value)
    value.update(zip(pairs[1::2], scores, strict=True))
    return len(value) - before


def _zrem(space: Keyspace, arguments: Arguments) -> int:
    key, *members = arguments
    value = space.change(key, SortedSet)
    if value is None:
        return 0
    removed = sum([value.pop(member, None) is not None for member in members])
    space.remove_if_empty(key)
    return removed


def _zcard(space: Keyspace, arguments: Arguments) -> int:
    return len(space.find(arguments[0], SortedSet) or ())


def _zscore(space: Keyspace, arguments: Arguments) -> bytes | None:
    key, member = arguments
    value = space.find(key, SortedSet)
    return None if value is None or member not in value else shown(value[member])


def _zrange(space: Keyspace, arguments: Arguments) -> list[bytes]:
    key, start, stop, *options = arguments
    if options not in ([], [b"WITHSCORES"]):
        raise NotImplementedError(f"ZRANGE … {options}")
    value = space.find(key, SortedSet)
    ranked = value.ranked() if value is not None else []
    chosen = ranked[slice_of(whole(start), whole(stop), len(ranked))]
    if not options:
        return [member for member, _ in chosen]
    return [part for member, its_score in chosen for part in (member, shown(its_score))]


def _zremrangebyscore(space: Keyspace, arguments: Arguments) -> int:
    key, lowest, highest = arguments
    value = space.find(key, SortedSet) or SortedSet()
    gone = [member for member, its_score in value.items() if _within(its_score, lowest, highest)]
    return _zrem(space, [key, *gone]) if gone else 0


def _within(number: float, lowest: bytes, highest: bytes) -> bool:
    above = number > score(lowest[1:]) if lowest.startswith(b"(") else number >= score(lowest)
    below = number < score(highest[1:]) if highest.startswith(b"(") else number <= score(highest)
    return above and below


COLLECTION_COMMANDS: Mapping[str, Command] = {
    "BLMPOP": _blmpop,
    "HDEL": _hdel,
    "HGET": _hget,
    "HGETALL": _hgetall,
    "HLEN": _hlen,
    "HMGET": _hmget,
    "HSET": _hset,
    "LLEN": _llen,
    "LMPOP": _lmpop,
    "LPOP": _lpop,
    "LPUSH": _lpush,
    "LRANGE": _lrange,
    "RPOP": _rpop,
    "RPUSH": _rpush,
    "ZADD": _zadd,
    "ZCARD": _zcard,
    "ZRANGE": _zrange,
    "ZREM": _zrem,
    "ZREMRANGEBYSCORE": _zremrangebyscore,
    "ZSCORE": _zscore,
}
