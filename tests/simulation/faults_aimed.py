"""Owns the faults that lie in wait: for a transaction, a crash point, or a round trip of a certain kind."""

from collections import deque
from collections.abc import Callable

from tests.simulation.database import Spoil
from tests.simulation.faults_common import MENDED_S
from tests.simulation.network_aims import AIMS, Aim
from tests.simulation.plan import PlannedFault
from tests.simulation.world import Ambush, World


def commit_fails_before(world: World, fault: PlannedFault) -> str:
    """Fail the next transaction about runs at its first statement about them."""
    world.spoiler.statements.append(Spoil(number=1, hit=_hit(world, fault)))
    return "the next transaction about runs fails at its first statement"


def commit_fails_within(world: World, fault: PlannedFault) -> str:
    """Fail a transaction about runs somewhere in its middle, or one of the next."""
    number = 2 + int(fault.pick * 5)
    world.spoiler.statements.append(Spoil(number=number, hit=_hit(world, fault)))
    return f"a transaction about runs fails at statement {number}"


def commit_fails_after_flush(world: World, fault: PlannedFault) -> str:
    """Fail the next COMMIT about runs."""
    world.spoiler.commits.append(Spoil(how="before", hit=_hit(world, fault)))
    return "the next COMMIT about runs fails"


def commit_reply_lost(world: World, fault: PlannedFault) -> str:
    """Carry out the next COMMIT about runs, and say that it failed."""
    world.spoiler.commits.append(Spoil(how="after", hit=_hit(world, fault)))
    return "the reply of the next COMMIT about runs is lost"


def reply_lost(world: World, fault: PlannedFault) -> str:
    """Carry out the next round trip of some kind, and lose its reply."""
    return _aim(world, fault, after=True)


def command_lost(world: World, fault: PlannedFault) -> str:
    """Lose the next round trip of some kind."""
    return _aim(world, fault, after=False)


def at_point(world: World, fault: PlannedFault, point: str, victim: str) -> str:
    """End whoever reaches a crash point next: the `child`, its `worker` or the `master`."""
    world.armed.setdefault(point, deque()).append(Ambush(victim, _hit(world, fault)))
    return f"whoever reaches {point} next"


def _aim(world: World, fault: PlannedFault, *, after: bool) -> str:
    names = list(AIMS)
    name = names[int(fault.pick * len(names))]
    world.weather.aims.append(Aim(matches=AIMS[name], after=after, hit=_hit(world, fault)))
    return f"of the next {name}"


def _hit(world: World, fault: PlannedFault) -> Callable[[], None]:
    return lambda: world.ledger.fault(fault.kind, world.schedule.now_s + MENDED_S)
