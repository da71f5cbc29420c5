"""Owns the outages: of the database and of Redis, of some or all of what they knew, and of their clocks."""

from functools import partial

from tests.simulation.celery_broker import QUEUES
from tests.simulation.plan import PlannedFault
from tests.simulation.world import World

LOSES_AT_MOST_S = 6.0
"""An append-only file that is synced every second loses up to two; a snapshot, more."""

BACK_S = 0.1
"""So soon after a restart does an idle worker ask for messages again: there may be some that nobody sent now."""

CLOSED = 0.5
"""So many of the restarts are noticed by each client, with its next command: its socket was closed."""


def database_away(world: World, fault: PlannedFault) -> str:
    """Let the database answer nobody for a while."""
    until_s = world.schedule.now_s + fault.seconds
    world.database_away_until_s = max(world.database_away_until_s, until_s)
    world.schedule.hold(until_s)
    return f"for {fault.seconds:.1f} s"


def database_clock_jumps(world: World, fault: PlannedFault) -> str:
    """Set the database's clock forward or back."""
    by_s = fault.seconds if fault.pick < 0.5 else -fault.seconds
    world.database_jump_s += by_s
    return f"by {by_s:+.1f} s"


def redis_away(world: World, fault: PlannedFault) -> str:
    """Let Redis answer nobody for a while."""
    until_s = world.schedule.now_s + fault.seconds
    world.weather.away_until_s = max(world.weather.away_until_s, until_s)
    world.schedule.hold(until_s)
    return f"for {fault.seconds:.1f} s"


def redis_restarted(world: World, fault: PlannedFault) -> str:
    """Restart Redis with its data."""
    world.server.restart()
    _close_sockets(world, fault)
    return "with its data, " + redis_away(world, fault)


def redis_lost_seconds(world: World, fault: PlannedFault) -> str:
    """Restart Redis with its data as they were some seconds ago."""
    lost_s = LOSES_AT_MOST_S * fault.pick
    world.server.restart(seconds_lost=lost_s)
    _close_sockets(world, fault)
    until_s = world.schedule.now_s + fault.seconds
    world.schedule.at(until_s + BACK_S, partial(world.schedule.notify, world.signals.of(QUEUES)))
    return f"without the last {lost_s:.2f} s, " + redis_away(world, fault)


def redis_wiped(world: World, fault: PlannedFault) -> str:
    """Restart Redis without its data."""
    world.server.restart(wipe=True)
    _close_sockets(world, fault)
    return "without its data, " + redis_away(world, fault)


def redis_flushed(world: World, _fault: PlannedFault) -> str:
    """Delete all keys of a Redis that goes on."""
    world.server.flush()
    return "by FLUSHALL"


def _close_sockets(world: World, fault: PlannedFault) -> None:
    """Let each client's next command fail once; else redis-py connects again, and nobody sees anything."""
    if fault.pick < CLOSED:
        world.weather.restarts += 1
