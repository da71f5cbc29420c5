"""Owns the simulated Redis' commands on consumer groups."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from redis.exceptions import ResponseError

from tests.simulation.redis_keyspace import Arguments, Command, Keyspace
from tests.simulation.redis_stream_commands import MANY, shown_entries
from tests.simulation.redis_stream_value import (
    FIRST,
    Group,
    Id,
    Pending,
    Stream,
    read_bound,
    read_id,
    show_id,
)
from tests.simulation.redis_values import OK, Status, whole

NO_STREAM = (
    "The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use "
    "the MKSTREAM option to create an empty stream automatically."
)
AUTOCLAIM_COUNT = 100
SCANNED_PER_COUNT = 10
"""XAUTOCLAIM looks at so many pending entries for each that it may claim."""


def _xgroup_create(space: Keyspace, arguments: Arguments) -> Status:
    key, name, start, *options = arguments
    stream = space.find(key, Stream)
    if stream is None and not (options and options[0].upper() == b"MKSTREAM"):
        raise ResponseError(NO_STREAM)
    if stream is not None and name in stream.groups:
        raise ResponseError("BUSYGROUP Consumer Group name already exists")
    delivered = None if start == b"$" else read_id(start)
    stream = space.obtain(key, Stream)
    stream.groups[name] = Group(delivered=stream.last if delivered is None else delivered)
    return OK


def _xgroup_destroy(space: Keyspace, arguments: Arguments) -> int:
    key, name = arguments
    stream = space.change(key, Stream)
    if stream is None:
        raise ResponseError(NO_STREAM)
    return int(stream.groups.pop(name, None) is not None)


def _xgroup_delconsumer(space: Keyspace, arguments: Arguments) -> int:
    key, name, consumer = arguments
    if space.find(key, Stream) is None:
        raise ResponseError(NO_STREAM)
    _group(space, key, name)
    group = space.obtain(key, Stream).groups[name]
    held = list(group.held_by(consumer, FIRST))
    for one in held:
        del group.pending[one]
    group.consumers.pop(consumer, None)
    return len(held)


def _xreadgroup(space: Keyspace, arguments: Arguments) -> list[Any] | None:
    """Answer at once, as if the time of BLOCK were over; nothing is handed out if one group is missing."""
    _, name, consumer, *rest = arguments
    count, streams = _reading(rest)
    found = [_readable(space, key, name) for key, _ in streams]
    new = Pending(consumer, space.now_ms(), 1)
    answer: list[Any] = []
    for (key, last), (stream, group) in zip(streams, found, strict=True):
        if consumer not in group.consumers:
            space.obtain(key, Stream)
        group.consumers[consumer] = new.delivered_ms
        if last != b">":
            own = group.held_by(consumer, read_id(last))
            answer.append([key, shown_entries(stream, islice(own, count))])
        elif stream.last > group.delivered and (ids := stream.after(group.delivered, count)):
            space.obtain(key, Stream)
            group.hand_out(ids, new)
            answer.append([key, shown_entries(stream, ids)])
    return answer or None


def _readable(space: Keyspace, key: bytes, name: bytes) -> tuple[Stream, Group]:
    stream = space.find(key, Stream)
    group = None if stream is None else stream.groups.get(name)
    if stream is None or group is None:
        raise ResponseError(_no_group(key, name) + " in XREADGROUP with GROUP option")
    return stream, group


def _reading(options: Sequence[bytes]) -> tuple[int, list[tuple[bytes, bytes]]]:
    """Return the count, and the streams with the ids to read after."""
    position, count = 0, MANY
    while (word := options[position]) != b"STREAMS":
        if word == b"COUNT":
            count = whole(options[position + 1]) or MANY
        elif word != b"BLOCK":
            raise NotImplementedError(f"XREADGROUP … {word!r}")
        position += 2
    names = options[position + 1 :]
    if len(names) % 2:
        raise ResponseError("Unbalanced 'xreadgroup' list of streams: each needs an ID or '>'.")
    half = len(names) // 2
    return count, list(zip(names[:half], names[half:], strict=True))


def _xack(space: Keyspace, arguments: Arguments) -> int:
    key, name, *ids = arguments
    wanted = [read_id(one) for one in ids]
    group = _groups(space, key).get(name)
    if group is None or not any(one in group.pending for one in wanted):
        return 0
    pending = space.obtain(key, Stream).groups[name].pending
    return sum([pending.pop(one, None) is not None for one in wanted])


def _xpending(space: Keyspace, arguments: Arguments) -> list[Any]:
    key, name, *rest = arguments
    group = _group(space, key, name)
    if rest:
        return _pending_range(space, group, rest)
    if not group.pending:
        return [0, None, None, None]
    consumers = [[consumer, b"%d" % number] for consumer, number in group.counts().items()]
    return [len(group.pending), show_id(min(group.pending)), show_id(max(group.pending)), consumers]


def _pending_range(space: Keyspace, group: Group, arguments: Sequence[bytes]) -> list[Any]:
    idle_ms = 0
    if arguments[0].upper() == b"IDLE":
        idle_ms, arguments = whole(arguments[1]), arguments[2:]
    first, last, count, *consumer = arguments
    ends, now_ms = (read_bound(first, upper=False), read_bound(last, upper=True)), space.now_ms()
    found = (
        [show_id(one), held.consumer, now_ms - held.delivered_ms, held.deliveries]
        for one, held in group.pending.items()
        if ends[0] <= one <= ends[1]
        and now_ms - held.delivered_ms >= idle_ms
        and consumer in ([], [held.consumer])
    )
    return list(islice(found, whole(count)))


def _xclaim(space: Keyspace, arguments: Arguments) -> list[Any]:
    key, name, consumer, idle, *ids = arguments
    wanted = [read_id(one) for one in ids]  # options are words: not supported, and refused here
    _group(space, key, name)
    stream = space.obtain(key, Stream)
    group, now_ms = stream.groups[name], space.now_ms()
    group.consumers[consumer] = now_ms
    taken: list[Id] = []
    for one in wanted:
        held = group.pending.get(one)
        if held is None or now_ms - held.delivered_ms < whole(idle):
            continue
        if one not in stream.entries:
            del group.pending[one]
            continue
        group.pending[one] = Pending(consumer, now_ms, held.deliveries + 1)
        taken.append(one)
    return shown_entries(stream, taken)


def _xautoclaim(space: Keyspace, arguments: Arguments) -> list[Any]:
    key, name, consumer, idle, start, *options = arguments
    count = whole(options[1]) if options and options[0].upper() == b"COUNT" else AUTOCLAIM_COUNT
    if options[2:] or (options and options[0].upper() != b"COUNT"):
        raise NotImplementedError(f"XAUTOCLAIM … {options}")
    _group(space, key, name)
    stream = space.obtain(key, Stream)
    group, first = stream.groups[name], read_bound(start, upper=False)
    group.consumers[consumer] = space.now_ms()
    waiting = [one for one in group.pending if one >= first]
    seen, taken, deleted = _take(stream, group, waiting, (consumer, whole(idle), count, space.now_ms()))
    following = show_id(waiting[seen]) if seen < len(waiting) else b"0-0"
    return [following, shown_entries(stream, taken), [show_id(one) for one in deleted]]


def _take(
    stream: Stream, group: Group, waiting: Sequence[Id], order: tuple[bytes, int, int, int]
) -> tuple[int, list[Id], list[Id]]:
    """Move pending entries; return how many were looked at, which were taken, and which were deleted."""
    consumer, idle_ms, count, now_ms = order
    taken: list[Id] = []
    deleted: list[Id] = []
    seen = 0
    for one in waiting[: count * SCANNED_PER_COUNT]:
        if len(taken) + len(deleted) == count:
            break
        seen += 1
        held = group.pending[one]
        if one not in stream.entries:
            del group.pending[one]
            deleted.append(one)
        elif now_ms - held.delivered_ms >= idle_ms:
            group.pending[one] = Pending(consumer, now_ms, held.deliveries + 1)
            taken.append(one)
    return seen, taken, deleted


def _xinfo_consumers(space: Keyspace, arguments: Arguments) -> list[Any]:
    key, name = arguments
    group = _group(space, key, name, created=True)
    counts, now_ms = group.counts(), space.now_ms()
    return [
        [
            b"name",
            one,
            b"pending",
            counts.get(one, 0),
            b"idle",
            now_ms - seen_ms,
            b"inactive",
            now_ms - seen_ms,
        ]
        for one, seen_ms in sorted(group.consumers.items())
    ]


def _xinfo_groups(space: Keyspace, arguments: Arguments) -> list[Any]:
    return [
        [
            *(b"name", name, b"consumers", len(group.consumers), b"pending", len(group.pending)),
            *(b"last-delivered-id", show_id(group.delivered)),
        ]
        for name, group in sorted(_groups(space, arguments[0]).items())
    ]


def _groups(space: Keyspace, key: bytes) -> dict[bytes, Group]:
    """Return the groups of a stream; none if there is no such stream."""
    stream = space.find(key, Stream)
    return {} if stream is None else stream.groups


def _group(space: Keyspace, key: bytes, name: bytes, *, created: bool = False) -> Group:
    """Return a group, or raise as the server does."""
    stream = space.find(key, Stream)
    if created and stream is None:
        raise ResponseError("no such key")
    group = None if stream is None else stream.groups.get(name)
    if group is None:
        raise ResponseError(_no_group(key, name))
    return group


def _no_group(key: bytes, name: bytes) -> str:
    shown_key, shown_name = key.decode(errors="replace"), name.decode(errors="replace")
    return f"NOGROUP No such key '{shown_key}' or consumer group '{shown_name}'"


GROUP_COMMANDS: Mapping[str, Command] = {
    "XACK": _xack,
    "XAUTOCLAIM": _xautoclaim,
    "XCLAIM": _xclaim,
    "XGROUP CREATE": _xgroup_create,
    "XGROUP DELCONSUMER": _xgroup_delconsumer,
    "XGROUP DESTROY": _xgroup_destroy,
    "XINFO CONSUMERS": _xinfo_consumers,
    "XINFO GROUPS": _xinfo_groups,
    "XPENDING": _xpending,
    "XREADGROUP": _xreadgroup,
}
