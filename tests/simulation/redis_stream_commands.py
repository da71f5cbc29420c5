"""Owns the simulated Redis' commands on streams."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from redis.exceptions import ResponseError

from tests.simulation.redis_keyspace import Arguments, Command, Keyspace
from tests.simulation.redis_stream_value import Id, Stream, read_bound, read_id, show_id
from tests.simulation.redis_values import whole

MANY = sys.maxsize
"""A count where none was given."""


def _xadd(space: Keyspace, arguments: Arguments) -> bytes | None:
    key, *rest = arguments
    position, most, nodes, make = _xadd_options(rest)
    wanted, fields = rest[position], rest[position + 1 :]
    if not fields or len(fields) % 2:
        raise ResponseError("wrong number of arguments for 'xadd' command")
    if wanted in {b"0", b"0-0"}:
        raise ResponseError("The ID specified in XADD must be greater than 0-0")
    known = space.find(key, Stream)
    entry_id = (known or Stream()).next_id(wanted, space.now_ms())
    if known is None and not make:
        return None
    stream = space.obtain(key, Stream)
    shown = stream.add(entry_id, fields)
    if most is not None:
        stream.trim(most, nodes=nodes)
    return shown


def _xadd_options(arguments: Sequence[bytes]) -> tuple[int, int | None, bool, bool]:
    """Return where the id stands, the length to trim to, whether in nodes, and whether to make the stream."""
    position, most, nodes, make = 0, None, False, True
    while (word := arguments[position].upper()) in {b"MAXLEN", b"NOMKSTREAM"}:
        position += 1
        if word == b"NOMKSTREAM":
            make = False
            continue
        if arguments[position] in {b"~", b"="}:
            nodes = arguments[position] == b"~"
            position += 1
        most = whole(arguments[position])
        position += 1
    return position, most, nodes, make


def _xlen(space: Keyspace, arguments: Arguments) -> int:
    stream = space.find(arguments[0], Stream)
    return 0 if stream is None else len(stream.entries)


def _xdel(space: Keyspace, arguments: Arguments) -> int:
    key, *ids = arguments
    wanted = [read_id(one) for one in ids]
    stream = space.find(key, Stream)
    if stream is None or not any(one in stream.entries for one in wanted):
        return 0
    return space.obtain(key, Stream).remove(wanted)


def _xtrim(space: Keyspace, arguments: Arguments) -> int:
    key, *rest = arguments
    _, most, nodes, _ = _xadd_options([*rest, b"*"])
    stream = space.change(key, Stream)
    return 0 if stream is None or most is None else stream.trim(most, nodes=nodes)


def _xrange(space: Keyspace, arguments: Arguments) -> list[Any]:
    key, first, last, *options = arguments
    stream = space.find(key, Stream)
    ends = read_bound(first, upper=False), read_bound(last, upper=True)
    if stream is None:
        return []
    return shown_entries(stream, islice(stream.between(*ends), _count(options)))


def _xrevrange(space: Keyspace, arguments: Arguments) -> list[Any]:
    key, last, first, *options = arguments
    stream = space.find(key, Stream)
    ends = read_bound(first, upper=False), read_bound(last, upper=True)
    if stream is None:
        return []
    return shown_entries(stream, list(stream.between(*ends))[::-1][: _count(options)])


def _count(options: Sequence[bytes]) -> int:
    """Return the count of a range; without one, more than there is."""
    return whole(options[1]) if options else MANY


def shown_entries(stream: Stream, ids: Iterable[Id]) -> list[Any]:
    """Return entries as XRANGE shows them; those that were deleted come without fields."""
    entries = stream.entries
    found = ((one, entries.get(one)) for one in ids)
    return [
        [show_id(one), None] if entry is None else [entry.shown, list(entry.fields)] for one, entry in found
    ]


STREAM_COMMANDS: Mapping[str, Command] = {
    "XADD": _xadd,
    "XDEL": _xdel,
    "XLEN": _xlen,
    "XRANGE": _xrange,
    "XREVRANGE": _xrevrange,
    "XTRIM": _xtrim,
}
