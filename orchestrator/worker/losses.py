"""Owns the report about an attempt whose child died: the main process speaks for it, at once."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import structlog

from orchestrator.broker import codec
from orchestrator.errors import MalformedEvent
from orchestrator.worker.outcome import Place, Speaker, child_died, ended_by, utc_now
from orchestrator.worker.ports import Identity
from orchestrator.worker.process_groups import is_alive, kill_group
from orchestrator.worker.slots import SLOTS, slot_of
from orchestrator.worker.spool import Spool
from orchestrator.worker.spool_file import SpoolUnwritable

log = structlog.get_logger(__name__)

SIGNAL = re.compile(r"signal \d+ \((SIG\w+)\)")
EXIT_CODE = re.compile(r"exitcode (-?\d+)")


class Losses:
    """Reports attempts that their child can no longer report.

    Args:
        identity: Who speaks.
        spool: Knows what the child ran.
        deliver: Sends the spooled event of that id soon, on another thread.
        log_path: Log file of an attempt, by instance, task and attempt.
        runs: Whether the process of that id lives.
        clock: What this machine's clock shows, aware UTC.
        slots: How many the deployment has.
    """

    def __init__(  # noqa: PLR0913  the clock and the deployment are handed in too
        self,
        identity: Identity,
        spool: Spool,
        deliver: Callable[[int], None],
        log_path: Callable[[int, str, int], str],
        *,
        runs: Callable[[int], bool] = is_alive,
        clock: Callable[[], datetime] = utc_now,
        slots: int = SLOTS,
    ) -> None:
        self._speaker = Speaker(identity, clock)
        self._spool = spool
        self._deliver = deliver
        self._log_path = log_path
        self._runs = runs
        self._slots = slots

    def report(self, message: Mapping[str, Any], status: str) -> bool:
        """Kill what the dead child left and report its attempt; tell whether it had begun one.

        Args:
            message: The order's message.
            status: How the child died.
        """
        try:
            order, _ = codec.order_from_message(message)
            facts = self._spool.attempt(order.id)
        except (MalformedEvent, SpoolUnwritable):
            return False
        if facts is None or self._runs(facts.pid):  # alive: what died had another delivery of the same order
            return False
        if facts.process_group is not None and facts.group_started is not None:
            kill_group(facts.process_group, facts.group_started)
        outcome = ended_by(facts.ending) if facts.ending else child_died(status)
        path = self._log_path(order.workflow_instance_id, order.task, order.attempt)
        place = Place(pid=facts.pid, process_group=facts.process_group, log_path=path)
        payload = codec.encode(self._speaker.result(order, place, outcome))
        log.warning("worker.child_died", order_id=order.id, status=status, ending=facts.ending)
        slot = slot_of(order.workflow_instance_id, self._slots)
        self._deliver(self._spool.write(slot, order.id, payload))
        return True


def death_of(text: str) -> str:
    """Return how a child died, from the pool's message: `SIGKILL`, or `exit code 3`."""
    if found := SIGNAL.search(text):
        return found[1]
    if found := EXIT_CODE.search(text):
        return f"exit code {found[1]}"
    return text.split("\n", 1)[0]
