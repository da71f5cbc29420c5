"""Owns the simulated Redis' commands on keys and strings."""

import fnmatch
import math
from collections.abc import Mapping, Sequence
from typing import Any

from redis.exceptions import ResponseError

from tests.simulation.redis_keyspace import Arguments, Command, Keyspace
from tests.simulation.redis_stream_value import Stream
from tests.simulation.redis_values import OK, SYNTAX_ERROR, Hash, List, SortedSet, Status, whole

KINDS: Mapping[type, bytes] = {
    bytes: b"string",
    Hash: b"hash",
    List: b"list",
    SortedSet: b"zset",
    Stream: b"stream",
}
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


COMMANDS: Mapping[str, Command] = {
    "DBSIZE": _dbsize,
    "DEL": _delete,
    "EXISTS": _exists,
    "EXPIRE": _expire,
    "FLUSHALL": _flush,
    "FLUSHDB": _flush,
    "GET": _get,
    "INCR": _incr,
    "INCRBY": _incrby,
    "KEYS": _keys,
    "MGET": _mget,
    "PERSIST": _persist,
    "PEXPIRE": _pexpire,
    "PING": _ping,
    "PTTL": _pttl,
    "SCAN": _scan,
    "SET": _set,
    "TIME": _time,
    "TTL": _ttl,
    "TYPE": _type,
    "UNLINK": _delete,
}
