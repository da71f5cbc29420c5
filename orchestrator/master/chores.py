"""Owns what a master does beside its loop: which steps, how often; the daemon and the simulation run the same."""

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.master.assembly import Master
from orchestrator.master.ingredients import Timing
from orchestrator.master.speech import Speech


@dataclass(frozen=True, slots=True, kw_only=True)
class Chore:
    """One thread's work.

    Attributes:
        step: One bounded piece of it; it may raise RetryEvent while a service is away.
        pause_s: Seconds between two steps; 0 for a step that waits by itself.
    """

    name: str
    step: Callable[[], object]
    pause_s: float = 0.0


def chores(
    master: Master,
    speech: Speech,
    renew: Callable[[], object],
    renewal_s: float,
    timing: Timing,
    turn_s: float,
) -> list[Chore]:
    """Return everything that goes on beside the loop.

    Args:
        master: The assembled master.
        speech: Tells alerts, and hands them to their targets.
        renew: Prolongs the leases.
        renewal_s: Seconds between two renewals.
        timing: The master's time limits.
        turn_s: Longest wait of a step that waits by itself, in seconds.
    """
    return [
        Chore(name="lease", step=renew, pause_s=renewal_s),
        Chore(name="membership", step=master.membership.step, pause_s=min(timing.heartbeat_s, 1.0)),
        Chore(name="messenger", step=lambda: master.messenger.step(turn_s)),
        Chore(name="reader", step=lambda: master.reader.step(round(turn_s * 1000))),
        Chore(name="status", step=master.status.step, pause_s=1.0),
        Chore(name="control", step=master.control.step, pause_s=0.5),
        Chore(name="announcer", step=speech.announcer.step, pause_s=timing.sweep_s),
        Chore(name="deliveries", step=speech.deliveries.step, pause_s=timing.sweep_s),
        Chore(name="schedules", step=master.scheduler.step, pause_s=0.1),
        Chore(name="backfills", step=master.backfiller.step, pause_s=0.3),
        Chore(name="pools", step=master.sweeper.step, pause_s=timing.sweep_s),
        Chore(name="turns", step=master.turnkeeper.step, pause_s=timing.sweep_s),
    ]
