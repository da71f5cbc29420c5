"""Owns what a dead predecessor of the same name left running: nothing of it may live beside its successor."""

import time
from collections.abc import Callable

import structlog

from orchestrator.worker.process_groups import group_exists, kill_group
from orchestrator.worker.spool import Spool

log = structlog.get_logger(__name__)

LIMIT_S = 5.0
LOOK_S = 0.02


def kill_leftovers(spool: Spool, incarnation: str, pause: Callable[[float], None] = time.sleep) -> int:
    """Kill the process groups that earlier incarnations wrote down, and forget their attempts.

    Their reports stay in the spool: they are sent again before this worker says ONLINE.

    Args:
        spool: The spool of this worker's name.
        incarnation: The present start; its attempts are left alone.
        pause: Waits that many seconds.

    Returns:
        How many groups were still alive.
    """
    killed = []
    for facts in spool.attempts():
        if facts.incarnation == incarnation:
            continue
        group, started = facts.process_group, facts.group_started
        if group is not None and started is not None and kill_group(group, started):
            log.warning("worker.leftover_killed", order_id=facts.order_id, process_group=group)
            killed.append(group)
        spool.remove_attempt(facts.order_id)
    until = time.monotonic() + LIMIT_S
    while any(group_exists(group) for group in killed) and time.monotonic() < until:
        pause(LOOK_S)
    return len(killed)
