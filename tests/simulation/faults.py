"""Owns the faults: what each kind does to the world when its time has come."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

import msgspec

from orchestrator.broker.presence import Presence
from tests.simulation.celery_broker import QUEUES, queue_key
from tests.simulation.master import SimulatedMaster
from tests.simulation.plan import PlannedFault
from tests.simulation.worker import SimulatedWorker
from tests.simulation.world import World

T = TypeVar("T")
Fault = Callable[[World, PlannedFault], str]

LOSES_AT_MOST_S = 6.0
"""An append-only file that is synced every second loses up to two; a snapshot, more."""


class NoTarget(Exception):
    """There is nothing that this fault could hit now."""


def cause(world: World, fault: PlannedFault) -> None:
    """Carry out one fault and tell the story."""
    try:
        text = KINDS[fault.kind](world, fault)
    except NoTarget:
        return
    world.ledger.faults.append(fault.kind)
    world.story.tell("FAULT", f"{fault.kind}: {text}")


def _pick(choices: Sequence[T], fault: PlannedFault) -> T:
    if not choices:
        raise NoTarget
    return choices[int(fault.pick * len(choices))]


# --- database --------------------------------------------------------------------------------


def _commit_fails_before(world: World, _fault: PlannedFault) -> str:
    world.spoiler.statement = 1
    return "the next transaction fails at its first statement"


def _commit_fails_within(world: World, fault: PlannedFault) -> str:
    world.spoiler.statement = 2 + int(fault.pick * 5)
    return f"a transaction fails at statement {world.spoiler.statement}"


def _commit_fails_after_flush(world: World, _fault: PlannedFault) -> str:
    world.spoiler.commit = "before"
    return "the next COMMIT fails"


def _commit_reply_lost(world: World, _fault: PlannedFault) -> str:
    world.spoiler.commit = "after"
    return "the reply of the next COMMIT is lost"


def _database_away(world: World, fault: PlannedFault) -> str:
    world.database_away_until_s = world.schedule.now_s + fault.seconds
    return f"for {fault.seconds:.1f} s"


def _database_clock_jumps(world: World, fault: PlannedFault) -> str:
    by_s = fault.seconds if fault.pick < 0.5 else -fault.seconds
    world.database_jump_s += by_s
    return f"by {by_s:+.1f} s"


# --- Redis -----------------------------------------------------------------------------------


def _redis_away(world: World, fault: PlannedFault) -> str:
    world.weather.away_until_s = world.schedule.now_s + fault.seconds
    return f"for {fault.seconds:.1f} s"


def _redis_restarted(world: World, fault: PlannedFault) -> str:
    world.server.restart()
    return "with its data, " + _redis_away(world, fault)


def _redis_lost_seconds(world: World, fault: PlannedFault) -> str:
    lost_s = LOSES_AT_MOST_S * fault.pick
    world.server.restart(seconds_lost=lost_s)
    return f"without the last {lost_s:.2f} s, " + _redis_away(world, fault)


def _redis_wiped(world: World, fault: PlannedFault) -> str:
    world.server.restart(wipe=True)
    return "without its data, " + _redis_away(world, fault)


def _redis_flushed(world: World, _fault: PlannedFault) -> str:
    world.server.flush()
    return "by FLUSHALL"


def _reply_lost(world: World, _fault: PlannedFault) -> str:
    world.weather.lost_replies += 1
    return "somebody's next reply"


def _command_lost(world: World, _fault: PlannedFault) -> str:
    world.weather.lost_commands += 1
    return "somebody's next command"


# --- events ----------------------------------------------------------------------------------


def _sent(world: World, fault: PlannedFault, among: int | None = None) -> tuple[bytes, dict[bytes, bytes]]:
    """Return an event that was sent some time ago, or one of the last few, with its stream."""
    sent = world.weather.sent_events
    return _pick(sent if among is None else sent[-among:], fault)


def _again(world: World, stream: bytes, fields: Mapping[bytes, bytes]) -> None:
    world.server.execute([("XADD", stream, "*", *(part for pair in fields.items() for part in pair))])
    world.schedule.notify(world.signals.stream)


def _event_duplicated(world: World, fault: PlannedFault) -> str:
    stream, fields = _sent(world, fault, among=2)
    _again(world, stream, fields)
    return f"a new one, of {stream.decode()}"


def _event_replayed_late(world: World, fault: PlannedFault) -> str:
    stream, fields = _sent(world, fault)
    _again(world, stream, fields)
    return f"an old one, of {stream.decode()}"


def _event_truncated(world: World, fault: PlannedFault) -> str:
    stream, fields = _sent(world, fault)
    payload = fields[b"p"]
    _again(world, stream, {**fields, b"w": b"", b"p": payload[: int(len(payload) * fault.pick)]})
    return f"a copy of one, of {stream.decode()}"


def _event_forged(world: World, fault: PlannedFault) -> str:
    stream, fields = _sent(world, fault, among=4)
    event = msgspec.json.decode(fields[b"p"])
    if "ticket" not in event:
        raise NoTarget
    event.update(type="RESULT", state="SUCCESS", ticket="forged")
    _again(world, stream, {**fields, b"w": b"", b"p": msgspec.json.encode(event)})
    return f"a SUCCESS of {event['task']}"


# --- the broker's messages -------------------------------------------------------------------


def _waiting(world: World, fault: PlannedFault) -> tuple[bytes, bytes]:
    """Return a message that waits in a queue, with the queue."""
    groups = {group for worker in world.plan.workers for group in worker.groups}
    queues = [queue_key(group) for group in sorted(groups)]
    return _pick(
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


def _message_lost(world: World, fault: PlannedFault) -> str:
    queue, raw = _waiting(world, fault)
    _take_out(world, queue, raw)
    return queue.decode()


def _message_duplicated(world: World, fault: PlannedFault) -> str:
    queue, raw = _waiting(world, fault)
    world.server.execute([("RPUSH", queue, raw)])
    world.schedule.notify(world.signals.of(QUEUES))
    return queue.decode()


def _message_late(world: World, fault: PlannedFault) -> str:
    queue, raw = _waiting(world, fault)
    _take_out(world, queue, raw)

    def arrive() -> None:
        world.server.execute([("RPUSH", queue, raw)])
        world.schedule.notify(world.signals.of(QUEUES))

    world.schedule.at(world.schedule.now_s + fault.seconds, arrive)
    return f"by {fault.seconds:.1f} s"


# --- workers ---------------------------------------------------------------------------------


def _child_dies(world: World, fault: PlannedFault) -> str:
    running = [
        (worker, child)
        for worker in world.workers
        for child in worker.children
        if world.tasks.spare(child.process)
    ]
    worker, child = _pick(running, fault)
    worker.kill_child(child)
    return child.process.name


def _armed(point: str, how: str) -> Fault:
    def arm(world: World, _fault: PlannedFault) -> str:
        world.armed[point] = how
        return f"whoever reaches {point} next"

    return arm


def _living(world: World, fault: PlannedFault) -> SimulatedWorker:
    return _pick([one for one in world.workers if one.alive and not one.frozen], fault)


def _worker_killed(world: World, fault: PlannedFault) -> str:
    worker = _living(world, fault)
    world.kill_worker(worker, max(fault.seconds, 0.5))
    return f"{worker.plan.name}, back after {max(fault.seconds, 0.5):.1f} s"


def _worker_frozen(world: World, fault: PlannedFault) -> str:
    worker = _living(world, fault)
    answers_for = worker.spool.claimed() if worker.spool is not None else []
    world.tasks.cut_off(worker.plan.name, world.schedule.now_s + fault.seconds, answers_for)
    worker.freeze()
    world.schedule.at(world.schedule.now_s + fault.seconds, worker.thaw)
    return f"{worker.plan.name} for {fault.seconds:.1f} s"


def _worker_drained(world: World, fault: PlannedFault) -> str:
    worker = _living(world, fault)
    presence = Presence(world.people, world.keys)

    def ask(*actions: Callable[[str], None]) -> None:
        """Do the first of these as soon as Redis is there, and the rest after that."""
        now_s, away_until_s = world.schedule.now_s, world.weather.away_until_s
        if now_s < away_until_s:
            world.schedule.at(away_until_s + 0.1, partial(ask, *actions))
            return
        actions[0](worker.plan.name)
        if actions[1:]:
            world.schedule.at(now_s + fault.seconds, partial(ask, *actions[1:]))

    ask(presence.drain, presence.resume)
    return f"{worker.plan.name} for {fault.seconds:.1f} s"


def _worker_clock_jumps(world: World, fault: PlannedFault) -> str:
    worker = _living(world, fault)
    worker.skew_s += 3600.0 if fault.pick < 0.5 else -3600.0
    return f"{worker.plan.name} is wrong by {worker.skew_s:+.0f} s"


# --- masters ---------------------------------------------------------------------------------


def _serving(world: World, fault: PlannedFault) -> SimulatedMaster:
    return _pick([one for one in world.masters if one.process.alive and not one.process.frozen], fault)


def _master_killed(world: World, fault: PlannedFault) -> str:
    master = _serving(world, fault)
    world.kill_master(master, max(fault.seconds, 0.5))
    return master.name


def _master_frozen(world: World, fault: PlannedFault) -> str:
    """Freeze a master; another process takes over when the lease has expired, and then it goes on."""
    master = _serving(world, fault)
    world.schedule.freeze(master.process)
    world.start_master()
    world.schedule.at(world.schedule.now_s + fault.seconds, lambda: world.schedule.thaw(master.process))
    return f"{master.name} for {fault.seconds:.1f} s"


KINDS: Mapping[str, Fault] = {
    "commit_fails_before": _commit_fails_before,
    "commit_fails_within": _commit_fails_within,
    "commit_fails_after_flush": _commit_fails_after_flush,
    "commit_reply_lost": _commit_reply_lost,
    "database_away": _database_away,
    "database_clock_jumps": _database_clock_jumps,
    "redis_away": _redis_away,
    "redis_restarted": _redis_restarted,
    "redis_lost_seconds": _redis_lost_seconds,
    "redis_wiped": _redis_wiped,
    "redis_flushed": _redis_flushed,
    "reply_lost": _reply_lost,
    "command_lost": _command_lost,
    "event_duplicated": _event_duplicated,
    "event_replayed_late": _event_replayed_late,
    "event_truncated": _event_truncated,
    "event_forged": _event_forged,
    "message_lost": _message_lost,
    "message_duplicated": _message_duplicated,
    "message_late": _message_late,
    "child_dies": _child_dies,
    "child_dies_before_claim": _armed("worker.before_claim", "child"),
    "child_dies_after_claim": _armed("worker.after_claim", "child"),
    "child_dies_before_result": _armed("worker.after_execute", "child"),
    "child_dies_after_spool": _armed("worker.after_spool", "child"),
    "child_dies_after_send": _armed("worker.after_send", "child"),
    "worker_killed": _worker_killed,
    "worker_dies_before_claim": _armed("worker.before_claim", "worker"),
    "worker_dies_after_claim": _armed("worker.after_claim", "worker"),
    "worker_dies_before_result": _armed("worker.after_execute", "worker"),
    "worker_dies_after_spool": _armed("worker.after_spool", "worker"),
    "worker_dies_after_send": _armed("worker.after_send", "worker"),
    "worker_frozen": _worker_frozen,
    "worker_drained": _worker_drained,
    "worker_clock_jumps": _worker_clock_jumps,
    "master_killed": _master_killed,
    "master_frozen": _master_frozen,
    "master_crash_before_decide": _armed("master.before_decide", "master"),
    "master_crash_before_commit": _armed("master.before_commit", "master"),
    "master_crash_before_flush": _armed("store.before_flush", "master"),
    "master_crash_after_flush": _armed("store.after_flush", "master"),
    "master_crash_after_store_commit": _armed("store.after_commit", "master"),
    "master_crash_after_commit": _armed("master.after_commit", "master"),
    "master_crash_after_acknowledge": _armed("master.after_acknowledge", "master"),
    "master_crash_after_dispatch": _armed("master.after_dispatch", "master"),
}
"""Every kind of fault by its name in a plan."""
