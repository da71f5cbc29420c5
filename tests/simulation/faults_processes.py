"""Owns the faults of workers and masters: killed, frozen, cut off, drained, with a wrong clock."""

from collections.abc import Callable
from functools import partial

from orchestrator.broker.presence import Presence
from tests.simulation.faults_common import choose
from tests.simulation.master import SimulatedMaster
from tests.simulation.plan import PlannedFault
from tests.simulation.worker import SimulatedWorker
from tests.simulation.world import World

SETTLES_S = 20.0
"""So long after it is back, whoever was away has said what it knows: a lease and a re-send interval."""

LOOKS_AGAIN_S = 60.0
"""How often the person who had drained a worker looks whether it works."""

# --- workers ---------------------------------------------------------------------------------


def child_dies(world: World, fault: PlannedFault) -> str:
    """Kill a child that runs a task."""
    running = [
        (worker, child)
        for worker in world.workers
        for child in worker.children
        if world.tasks.spare(child.process)
    ]
    worker, child = choose(running, fault)
    worker.kill_child(child)
    return child.process.name


def _living(world: World, fault: PlannedFault) -> SimulatedWorker:
    return choose([one for one in world.workers if one.alive and not one.frozen], fault)


def worker_killed(world: World, fault: PlannedFault) -> str:
    """Kill a worker; it comes back."""
    worker = _living(world, fault)
    world.kill_worker(worker, max(fault.seconds, 0.5))
    return f"{worker.plan.name}, back after {max(fault.seconds, 0.5):.1f} s"


def worker_frozen(world: World, fault: PlannedFault) -> str:
    """Stop a worker for a while."""
    worker = _living(world, fault)
    until_s = _set_apart(world, worker, fault)
    worker.freeze()
    world.schedule.at(until_s, worker.thaw)
    return f"{worker.plan.name} for {fault.seconds:.1f} s"


def worker_cut_off(world: World, fault: PlannedFault) -> str:
    """Cut a worker off from Redis for a while; it goes on, and so does everybody else."""
    worker = _living(world, fault)
    world.weather.cut_off(worker.plan.name, _set_apart(world, worker, fault))
    return f"{worker.plan.name} for {fault.seconds:.1f} s"


def _set_apart(world: World, worker: SimulatedWorker, fault: PlannedFault) -> float:
    """Note that nobody hears of a worker for a while; return until when."""
    until_s = world.schedule.now_s + fault.seconds
    answers_for = worker.spool.claimed() if worker.spool is not None else []
    world.tasks.cut_off(worker.plan.name, until_s, answers_for)
    world.schedule.hold(until_s + SETTLES_S)
    return until_s


def worker_drained(world: World, fault: PlannedFault) -> str:
    """Ask a worker to take nothing for a while."""
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

    def resume(name: str) -> None:
        """Let it take tasks again, and look after it: an older copy of Redis' data may drain it once more."""
        presence.resume(name)
        world.schedule.at(world.schedule.now_s + LOOKS_AGAIN_S, partial(ask, resume))

    ask(presence.drain, resume)
    return f"{worker.plan.name} for {fault.seconds:.1f} s"


def worker_clock_jumps(world: World, fault: PlannedFault) -> str:
    """Set a worker's clock an hour forward or back."""
    worker = _living(world, fault)
    worker.skew_s += 3600.0 if fault.pick < 0.5 else -3600.0
    return f"{worker.plan.name} is wrong by {worker.skew_s:+.0f} s"


# --- masters ---------------------------------------------------------------------------------


def _serving(world: World, fault: PlannedFault) -> SimulatedMaster:
    return choose([one for one in world.masters if one.process.alive and not one.process.frozen], fault)


def master_killed(world: World, fault: PlannedFault) -> str:
    """Kill a master; another one is started."""
    master = _serving(world, fault)
    world.kill_master(master, max(fault.seconds, 0.5))
    return master.name


def master_frozen(world: World, fault: PlannedFault) -> str:
    """Freeze a master; another process takes over when the lease has expired, and then it goes on."""
    master = _serving(world, fault)
    world.schedule.freeze(master.process)
    world.start_master()
    until_s = world.schedule.now_s + fault.seconds
    world.schedule.at(until_s, partial(world.schedule.thaw, master.process))
    world.schedule.hold(until_s + SETTLES_S)
    return f"{master.name} for {fault.seconds:.1f} s"


def loop_stalls(world: World, fault: PlannedFault) -> str:
    """Let a master's loop stand still for a while, as over a slow query; its other threads go on."""
    master = _serving(world, fault)
    until_s = world.schedule.now_s + fault.seconds
    master.still_until_s = max(master.still_until_s, until_s)
    world.schedule.hold(until_s)
    return f"{master.name} for {fault.seconds:.1f} s"


def master_cut_off(world: World, fault: PlannedFault) -> str:
    """Cut a master off from Redis for a while; it keeps the database, and with it the slots."""
    master = _serving(world, fault)
    until_s = world.schedule.now_s + fault.seconds
    world.weather.cut_off(master.name, until_s)
    world.schedule.hold(until_s)
    return f"{master.name} for {fault.seconds:.1f} s"
