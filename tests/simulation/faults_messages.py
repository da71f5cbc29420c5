"""Owns the faults of single entries and messages: lost, doubled, late, cut off, forged."""

from collections.abc import Mapping
from typing import Any

import msgspec

from tests.simulation.celery_broker import QUEUES, queue_key
from tests.simulation.faults_common import choose
from tests.simulation.plan import PlannedFault
from tests.simulation.world import World

# --- events ----------------------------------------------------------------------------------


def _sent(world: World, fault: PlannedFault, among: int | None = None) -> tuple[bytes, dict[bytes, bytes]]:
    """Return an event that was sent some time ago, or one of the last few, with its stream."""
    sent = world.weather.sent_events
    return choose(sent if among is None else sent[-among:], fault)


def _again(world: World, stream: bytes, fields: Mapping[bytes, bytes]) -> None:
    world.server.execute([("XADD", stream, "*", *(part for pair in fields.items() for part in pair))])
    world.schedule.notify(world.signals.stream)


def event_duplicated(world: World, fault: PlannedFault) -> str:
    """Send one of the last events again."""
    stream, fields = _sent(world, fault, among=2)
    _again(world, stream, fields)
    return f"a new one, of {stream.decode()}"


def event_replayed_late(world: World, fault: PlannedFault) -> str:
    """Send any event again."""
    stream, fields = _sent(world, fault)
    _again(world, stream, fields)
    return f"an old one, of {stream.decode()}"


def event_truncated(world: World, fault: PlannedFault) -> str:
    """Send a part of an event."""
    stream, fields = _sent(world, fault)
    payload = fields[b"p"]
    payload = payload[: int(len(payload) * fault.pick)]
    _again(world, stream, {**fields, b"w": b"", b"p": payload})
    world.weather.unreadable.append(payload)
    return f"a copy of one, of {stream.decode()}"


def _order_id(event: Mapping[str, Any]) -> str:
    return ":".join(str(event.get(name)) for name in ("workflow_instance_id", "task", "attempt", "dispatch"))


def event_forged(world: World, fault: PlannedFault) -> str:
    """Send a SUCCESS of a task that runs, with a ticket that nobody gave."""
    running = {one.order_id for one in world.ledger.running()}
    known = [
        (stream, fields, msgspec.json.decode(fields[b"p"])) for stream, fields in world.weather.sent_events
    ]
    stream, fields, event = choose([one for one in known if _order_id(one[2]) in running], fault)
    event.update(type="RESULT", state="SUCCESS", ticket="forged", outputs={})
    _again(world, stream, {**fields, b"w": b"", b"p": msgspec.json.encode(event)})
    return f"a SUCCESS of {event['task']}"


# --- the broker's messages -------------------------------------------------------------------


def _waiting(world: World, fault: PlannedFault) -> tuple[bytes, bytes]:
    """Return a message that waits in a queue, with the queue."""
    groups = {group for worker in world.plan.workers for group in worker.groups}
    queues = [queue_key(group) for group in sorted(groups)]
    return choose(
        [(queue, raw) for queue in queues for raw in world.server.execute([("LRANGE", queue, 0, -1)])[0]],
        fault,
    )


def _take_out(world: World, queue: bytes, raw: bytes) -> None:
    """Take one message out of the middle of a queue."""
    (waiting,) = world.server.execute([("LRANGE", queue, 0, -1)])
    waiting.remove(raw)
    world.server.execute([("DEL", queue)])
    if waiting:
        world.server.execute([("RPUSH", queue, *waiting)])


def message_lost(world: World, fault: PlannedFault) -> str:
    """Take a message out of its queue."""
    queue, raw = _waiting(world, fault)
    _take_out(world, queue, raw)
    return queue.decode()


def message_duplicated(world: World, fault: PlannedFault) -> str:
    """Put a message into its queue a second time."""
    queue, raw = _waiting(world, fault)
    world.server.execute([("RPUSH", queue, raw)])
    world.schedule.notify(world.signals.of(QUEUES))
    return queue.decode()


def message_late(world: World, fault: PlannedFault) -> str:
    """Take a message out of its queue for a while."""
    queue, raw = _waiting(world, fault)
    _take_out(world, queue, raw)

    def arrive() -> None:
        world.server.execute([("RPUSH", queue, raw)])
        world.schedule.notify(world.signals.of(QUEUES))

    world.schedule.at(world.schedule.now_s + fault.seconds, arrive)
    world.schedule.hold(world.schedule.now_s + fault.seconds)
    return f"by {fault.seconds:.1f} s"
