"""Owns the faults: what each kind does to the world when its time has come, or when there is something to hit."""

from collections.abc import Mapping
from functools import partial

from tests.simulation import faults_aimed as aimed
from tests.simulation import faults_messages as messages
from tests.simulation import faults_outages as outages
from tests.simulation import faults_processes as processes
from tests.simulation.faults_common import MENDED_S, Fault, NoTarget
from tests.simulation.plan import PlannedFault
from tests.simulation.world import World

AGAIN_S = 0.2
"""How often a fault without a target looks for one."""

PATIENCE_S = 20.0
"""How long after its time a fault without a target goes on looking."""


def cause(world: World, fault: PlannedFault) -> None:
    """Carry out one fault and tell the story; try again if there is nothing that it could hit yet."""
    try:
        text = KINDS[fault.kind](world, fault)
    except NoTarget:
        _later(world, fault)
        return
    if fault.kind not in LYING_IN_WAIT:
        world.ledger.fault(fault.kind, world.schedule.now_s + fault.seconds + MENDED_S)
    world.story.tell("FAULT", f"{fault.kind}: {text}")


def _later(world: World, fault: PlannedFault) -> None:
    """Try again soon, or, since queues are empty again at once, as soon as there is a message."""
    again = partial(_unless_late, world, fault)
    if fault.kind.startswith("message_"):
        world.weather.at_next_message.append(again)
    else:
        world.schedule.at(world.schedule.now_s + AGAIN_S, again)


def _unless_late(world: World, fault: PlannedFault) -> None:
    if world.schedule.now_s <= fault.at_s + PATIENCE_S:
        cause(world, fault)


def _at(point: str, victim: str) -> Fault:
    return partial(aimed.at_point, point=point, victim=victim)


LYING_IN_WAIT: Mapping[str, Fault] = {
    "commit_fails_before": aimed.commit_fails_before,
    "commit_fails_within": aimed.commit_fails_within,
    "commit_fails_after_flush": aimed.commit_fails_after_flush,
    "commit_reply_lost": aimed.commit_reply_lost,
    "reply_lost": aimed.reply_lost,
    "command_lost": aimed.command_lost,
    "child_dies_before_claim": _at("worker.before_claim", "child"),
    "child_dies_after_claim": _at("worker.after_claim", "child"),
    "child_dies_before_result": _at("worker.after_execute", "child"),
    "child_dies_after_spool": _at("worker.after_spool", "child"),
    "child_dies_after_send": _at("worker.after_send", "child"),
    "worker_dies_before_claim": _at("worker.before_claim", "worker"),
    "worker_dies_after_claim": _at("worker.after_claim", "worker"),
    "worker_dies_before_result": _at("worker.after_execute", "worker"),
    "worker_dies_after_spool": _at("worker.after_spool", "worker"),
    "worker_dies_after_send": _at("worker.after_send", "worker"),
    "master_crash_before_decide": _at("master.before_decide", "master"),
    "master_crash_before_commit": _at("master.before_commit", "master"),
    "master_crash_before_flush": _at("store.before_flush", "master"),
    "master_crash_after_flush": _at("store.after_flush", "master"),
    "master_crash_after_store_commit": _at("store.after_commit", "master"),
    "master_crash_pool_before_flush": _at("pool.before_flush", "master"),
    "master_crash_pool_after_flush": _at("pool.after_flush", "master"),
    "master_crash_pool_after_commit": _at("pool.after_commit", "master"),
    "master_crash_after_commit": _at("master.after_commit", "master"),
    "master_crash_after_acknowledge": _at("master.after_acknowledge", "master"),
    "master_crash_after_dispatch": _at("master.after_dispatch", "master"),
    "master_crash_turn_before_flush": _at("serial.before_flush", "master"),
    "master_crash_turn_after_flush": _at("serial.after_flush", "master"),
    "master_crash_turn_after_commit": _at("serial.after_commit", "master"),
}
"""What hits later than its time, perhaps never: counted when it does."""

KINDS: Mapping[str, Fault] = {
    **LYING_IN_WAIT,
    "database_away": outages.database_away,
    "database_clock_jumps": outages.database_clock_jumps,
    "redis_away": outages.redis_away,
    "redis_restarted": outages.redis_restarted,
    "redis_lost_seconds": outages.redis_lost_seconds,
    "redis_wiped": outages.redis_wiped,
    "redis_flushed": outages.redis_flushed,
    "event_duplicated": messages.event_duplicated,
    "event_replayed_late": messages.event_replayed_late,
    "event_truncated": messages.event_truncated,
    "event_forged": messages.event_forged,
    "message_lost": messages.message_lost,
    "message_duplicated": messages.message_duplicated,
    "message_late": messages.message_late,
    "child_dies": processes.child_dies,
    "worker_killed": processes.worker_killed,
    "worker_frozen": processes.worker_frozen,
    "worker_cut_off": processes.worker_cut_off,
    "worker_drained": processes.worker_drained,
    "worker_clock_jumps": processes.worker_clock_jumps,
    "master_killed": processes.master_killed,
    "master_frozen": processes.master_frozen,
    "master_cut_off": processes.master_cut_off,
    "loop_stalls": processes.loop_stalls,
}
"""Every kind of fault by its name in a plan."""
