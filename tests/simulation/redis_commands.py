"""Owns the simulated Redis' commands on keys, strings, hashes, lists and sorted sets."""

import fnmatch
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from redis.exceptions import ResponseError

from tests.simulation.redis_keyspace import Keyspace
from tests.simulation.redis_stream_value import Stream
from tests.simulation.redis_values import OK, Hash, List, SortedSet, Status, score, shown, slice_of, whole

Arguments = Sequence[bytes]
Command = Callable[[Keyspace, Arguments], Any]

KINDS: Mapping[type, bytes] = {
    bytes: b"string",
    Hash: b"hash",
    List: b"list",
    SortedSet: b"zset",
    Stream: b"stream",
}
SYNTAX_ERROR = "syntax error"
SECONDS_OF = {b"EX": 1.0, b"PX": 0.001}


def _delete(space: Keyspace, arguments: Arguments) -> int:
    return sum([space.remove(key) for key in arguments])


def _exists(space: Keyspace, arguments: Arguments) -> int:
    return sum([space.has(key) for key in arguments])


def _expire(space: Keyspace, arguments: Arguments) -> int:
    return _expire_after(space, arguments, 1.0)


def _pexpire(space: Keyspace, arguments: Arguments) -> int:
    return _expire_after(space, arguments, 0.001)


def _expire_after(space: Keyspace, arguments: Arguments, unit_s: float) -> int:
    key, amount = arguments
    seconds = whole(amount) * unit_s
    if seconds <= 0:
        return int(space.remove(key))
    return int(space.expire(key, space.now() + seconds))


def _persist(space: Keyspace, arguments: Arguments) -> int:
    (key,) = arguments
    return int(space.has(key) and space.seconds_left(key) is not None and space.expire(key, None))


def _ttl(space: Keyspace, arguments: Arguments) -> int:
    return _time_left(space, arguments[0], 1.0)


def _pttl(space: Keyspace, arguments: Arguments) -> int:
    return _time_left(space, arguments[0], 0.001)


def _time_left(space: Keyspace, key: bytes, unit_s: float) -> int:
    if not space.has(key):
        return -2
    left = space.seconds_left(key)
    return -1 if left is None else math.floor(left / unit_s + 0.5)


def _type(space: Keyspace, arguments: Arguments) -> Status:
    value = space.look(arguments[0])
    return Status(b"none" if value is None else KINDS[type(value)])


def _keys(space: Keyspace, arguments: Arguments) -> list[bytes]:
    pattern = arguments[0].decode("latin-1")
    return [key for key in space.names() if fnmatch.fnmatchcase(key.decode("latin-1"), pattern)]


def _scan(space: Keyspace, arguments: Arguments) -> list[Any]:
    """Answer all at once: the cursor is 0 again."""
    options = dict(zip(arguments[1::2], arguments[2::2], strict=True))
    return [b"0", _keys(space, [options.get(b"MATCH", b"*")])]


def _dbsize(space: Keyspace, _arguments: Arguments) -> int:
    return len(space.names())


def _flush(space: Keyspace, _arguments: Arguments) -> Status:
    space.clear()
    return OK


def _ping(_space: Keyspace, arguments: Arguments) -> bytes:
    return arguments[0] if arguments else Status(b"PONG")


def _time(space: Keyspace, _arguments: Arguments) -> list[bytes]:
    return [b"%d" % part for part in divmod(int(space.now() * 1_000_000), 1_000_000)]


def _get(space: Keyspace, arguments: Arguments) -> bytes | None:
    return space.find(arguments[0], bytes)


def _mget(space: Keyspace, arguments: Arguments) -> list[bytes | None]:
    values = [space.look(key) for key in arguments]
    return [value if isinstance(value, bytes) else None for value in values]


def _set(space: Keyspace, arguments: Arguments) -> bytes | None:
    key, value, *options = arguments
    deadline_s, flags = _set_options(space, key, options)
    get = b"GET" in flags
    old = space.find(key, bytes) if get else None
    there = space.has(key)
    if (b"NX" in flags and there) or (b"XX" in flags and not there):
        return old
    space.store(key, value, deadline_s)
    return old if get else OK


def _set_options(space: Keyspace, key: bytes, options: Sequence[bytes]) -> tuple[float | None, set[bytes]]:
    """Return when the key will expire, and which words were given."""
    flags: set[bytes] = set()
    deadline_s: float | None = None
    words = iter(options)
    for word in words:
        option = word.upper()
        if option in SECONDS_OF:
            deadline_s = space.now() + whole(next(words, b"")) * SECONDS_OF[option]
        elif option in {b"NX", b"XX", b"GET", b"KEEPTTL"}:
            flags.add(option)
        else:
            raise ResponseError(SYNTAX_ERROR)
    if b"KEEPTTL" in flags and space.has(key):
        left = space.seconds_left(key)
        deadline_s = None if left is None else space.now() + left
    return deadline_s, flags


def _incr(space: Keyspace, arguments: Arguments) -> int:
    return _incrby(space, [arguments[0], b"1"])


def _incrby(space: Keyspace, arguments: Arguments) -> int:
    key, amount = arguments
    old = space.find(key, bytes)
    number = whole(b"0" if old is None else old) + whole(amount)
    left = space.seconds_left(key)
    space.store(key, b"%d" % number, None if left is None else space.now() + left)
    return number


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


COMMANDS: Mapping[str, Command] = {
    "BLMPOP": _blmpop,
    "DBSIZE": _dbsize,
    "DEL": _delete,
    "EXISTS": _exists,
    "EXPIRE": _expire,
    "FLUSHALL": _flush,
    "FLUSHDB": _flush,
    "GET": _get,
    "HDEL": _hdel,
    "HGET": _hget,
    "HGETALL": _hgetall,
    "HLEN": _hlen,
    "HMGET": _hmget,
    "HSET": _hset,
    "INCR": _incr,
    "INCRBY": _incrby,
    "KEYS": _keys,
    "LLEN": _llen,
    "LMPOP": _lmpop,
    "LPOP": _lpop,
    "LPUSH": _lpush,
    "LRANGE": _lrange,
    "MGET": _mget,
    "PERSIST": _persist,
    "PEXPIRE": _pexpire,
    "PING": _ping,
    "PTTL": _pttl,
    "RPOP": _rpop,
    "RPUSH": _rpush,
    "SCAN": _scan,
    "SET": _set,
    "TIME": _time,
    "TTL": _ttl,
    "TYPE": _type,
    "UNLINK": _delete,
    "ZADD": _zadd,
    "ZCARD": _zcard,
    "ZRANGE": _zrange,
    "ZREM": _zrem,
    "ZREMRANGEBYSCORE": _zremrangebyscore,
    "ZSCORE": _zscore,
}
