"""Owns the table of fault kinds, how often each is drawn and how long it lasts, and the drawing of faults."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from tests.simulation.plan import Plan, PlannedFault

MOST = 12
LATEST_S = 60.0

HORIZONS = (0.3, 0.6, 0.9, 0.9, 1.3)
"""Up to which share of the time that the runs take faults come; what goes wrong makes them longer."""

SHORTEST_S = 1.0
BURST_S = 0.5

SILENT_S = (15.0, 22.0)
"""So long is Redis away that a worker's last heartbeat is too old when it comes back, in seconds."""

SILENT_FROM_S = (0.3, 4.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How a kind of fault is drawn.

    Attributes:
        weight: How often, relative to the others.
        shortest_s: Shortest time it lasts, in simulated seconds; 0 with `longest_s` 0: it does not last.
        longest_s: Longest time it lasts.
    """

    weight: int = 4
    shortest_s: float = 0.0
    longest_s: float = 0.0


_POINT = Kind()
_COMMON = Kind(weight=6)

KINDS: Mapping[str, Kind] = {
    "commit_fails_before": _POINT,
    "commit_fails_within": _COMMON,
    "commit_fails_after_flush": _COMMON,
    "commit_reply_lost": _COMMON,
    "database_away": Kind(weight=5, shortest_s=0.2, longest_s=30.0),
    "redis_away": Kind(weight=5, shortest_s=0.2, longest_s=30.0),
    "redis_restarted": Kind(weight=4, shortest_s=0.1, longest_s=10.0),
    "redis_lost_seconds": Kind(weight=8, shortest_s=0.1, longest_s=10.0),
    "redis_wiped": Kind(weight=4, shortest_s=0.1, longest_s=10.0),
    "redis_flushed": _POINT,
    "reply_lost": Kind(weight=8),
    "command_lost": Kind(weight=6),
    "event_duplicated": _POINT,
    "event_replayed_late": _POINT,
    "event_truncated": Kind(weight=2),
    "event_forged": Kind(weight=2),
    "message_lost": _COMMON,
    "message_duplicated": _POINT,
    "message_late": Kind(weight=4, shortest_s=0.5, longest_s=90.0),
    "child_dies": _COMMON,
    "child_dies_before_claim": Kind(weight=2),
    "child_dies_after_claim": Kind(weight=3),
    "child_dies_before_result": Kind(weight=3),
    "child_dies_after_spool": Kind(weight=2),
    "child_dies_after_send": Kind(weight=2),
    "worker_killed": Kind(weight=6, shortest_s=0.5, longest_s=40.0),
    "worker_dies_before_claim": Kind(weight=2),
    "worker_dies_after_claim": Kind(weight=2),
    "worker_dies_before_result": Kind(weight=2),
    "worker_dies_after_spool": Kind(weight=2),
    "worker_dies_after_send": Kind(weight=2),
    "worker_frozen": Kind(weight=5, shortest_s=1.0, longest_s=45.0),
    "worker_cut_off": Kind(weight=4, shortest_s=1.0, longest_s=45.0),
    "worker_drained": Kind(weight=2, shortest_s=1.0, longest_s=20.0),
    "master_killed": Kind(weight=6, shortest_s=0.5, longest_s=20.0),
    "master_crash_before_decide": Kind(weight=2),
    "master_crash_before_commit": Kind(weight=2),
    "master_crash_before_flush": Kind(weight=2),
    "master_crash_after_flush": Kind(weight=2),
    "master_crash_after_store_commit": Kind(weight=3),
    "master_crash_after_commit": Kind(weight=3),
    "master_crash_after_acknowledge": Kind(weight=2),
    "master_crash_after_dispatch": Kind(weight=3),
    "master_frozen": Kind(weight=3, shortest_s=2.0, longest_s=40.0),
    "master_cut_off": Kind(weight=3, shortest_s=1.0, longest_s=40.0),
    "worker_clock_jumps": Kind(weight=1),
    "database_clock_jumps": Kind(weight=2, shortest_s=0.5, longest_s=20.0),
}
"""Every kind that is drawn; what each does stands in `faults`."""


def draw_faults(dice: Random, length_s: float) -> tuple[PlannedFault, ...]:
    """Return 1 to `MOST` faults in order of time: of any kinds, of one kind, or in bursts.

    Args:
        dice: Decides.
        length_s: About how long the runs take if nothing goes wrong, in seconds.
    """
    number = min(MOST, 1 + int(dice.expovariate(0.4)))
    kinds = tuple(KINDS) if dice.random() < 0.8 else (dice.choice(tuple(KINDS)),)
    horizon_s = min(max(dice.choice(HORIZONS) * length_s, SHORTEST_S), LATEST_S - BURST_S)
    drawn = [draw_fault(dice, kinds, dice.uniform(0.0, horizon_s)) for _ in range(number)]
    if dice.random() < 0.2:
        drawn = _in_bursts(dice, drawn, horizon_s)
    return in_order(drawn)


def draw_fault(dice: Random, kinds: Sequence[str], at_s: float) -> PlannedFault:
    """Return one fault of one of `kinds`; short ones are more likely than long ones."""
    name = dice.choices(kinds, [KINDS[one].weight for one in kinds])[0]
    kind = KINDS[name]
    seconds = kind.shortest_s + (kind.longest_s - kind.shortest_s) * dice.random() ** 2
    return PlannedFault(
        at_s=round(at_s, 3), kind=name, seconds=round(seconds, 3), pick=round(dice.random(), 6)
    )


def with_silence(plan: Plan, dice: Random) -> Plan:
    """Return a plan in which Redis is away for longer than a worker may be silent, while tasks run and end."""
    fault = PlannedFault(
        at_s=round(dice.uniform(*SILENT_FROM_S), 3),
        kind="redis_away",
        seconds=round(dice.uniform(*SILENT_S), 3),
    )
    return replace(plan, faults=in_order([*plan.faults, fault]))


def in_order(faults: Sequence[PlannedFault]) -> tuple[PlannedFault, ...]:
    """Return faults as a plan has them: by time, equal times as they were given."""
    return tuple(sorted(faults, key=lambda fault: fault.at_s))


def _in_bursts(dice: Random, faults: Sequence[PlannedFault], horizon_s: float) -> list[PlannedFault]:
    """Return the faults moved to one or two moments."""
    moments = [dice.uniform(0.0, max(horizon_s - BURST_S, 0.0)) for _ in range(dice.randint(1, 2))]
    return [
        replace(fault, at_s=round(dice.choice(moments) + dice.uniform(0.0, BURST_S), 3)) for fault in faults
    ]
