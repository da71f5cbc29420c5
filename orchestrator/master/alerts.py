"""Owns the alerts that the master raises about its own work, and their way into the outbox."""

from collections.abc import Mapping
from hashlib import sha256
from threading import Lock
from typing import Any

import structlog

from orchestrator.broker.codec import clean
from orchestrator.broker.stream import Entry
from orchestrator.core.changes import Changes, Leases
from orchestrator.core.command import Alert
from orchestrator.core.instance import TaskInstance
from orchestrator.errors import LeaseLost, RetryEvent
from orchestrator.master.outside import Committer

log = structlog.get_logger(__name__)

MOST_TEXT = 500
"""So many characters of what a stranger sent, or a bug said, go into an alert."""


def buried(entry: Entry, reason: str) -> Alert:
    """Return the alert about an entry that goes to the dead letters; sent again by its worker, it is the same."""
    origin = f"{_text(entry.worker)}:{entry.spool_id}" if entry.spool_id else entry.id
    return Alert(
        key=f"buried:{entry.slot}:{origin}:{sha256(entry.payload).hexdigest()[:16]}",
        slot=entry.slot,
        workflow_instance_id=None,
        kind="buried",
        body={"entry": entry.id, "worker": _text(entry.worker), "reason": _text(reason)},
    )


def parked(workflow_instance_id: int, slot: int, revision: int, *, error: str, tries: int) -> Alert:
    """Return the alert about a run that fails again and again; while nothing of it commits, it is the same."""
    return Alert(
        key=f"parked:{workflow_instance_id}:{revision}",
        slot=slot,
        workflow_instance_id=workflow_instance_id,
        kind="parked",
        body={"error": _text(error), "tries": tries},
    )


def no_worker(group: str, slot: int, oldest: TaskInstance, waiting: int) -> Alert:
    """Return the alert about a group without workers; the attempt that waits longest tells gaps apart."""
    number, task, attempt = oldest.key
    return Alert(
        key=f"no_worker:{group}:{number}:{task}:{attempt}",
        slot=slot,
        workflow_instance_id=number,
        kind="no_worker",
        body={"group": group, "waiting": waiting},
    )


class Bulletin:
    """Alerts that belong to no batch: they wait here for a fenced transaction of their own.

    The loop's thread adds them, the announcer's writes them. A crash in between loses none for good: what they are
    about goes on, and is noticed again under the same key.

    Args:
        committer: Writes.
        leases: The slots this master owns.
    """

    def __init__(self, committer: Committer, leases: Leases) -> None:
        self._committer = committer
        self._leases = leases
        self._lock = Lock()
        self._waiting: dict[str, Alert] = {}

    def add(self, alert: Alert) -> None:
        """Have an alert written; one whose key stands in the outbox already changes nothing there."""
        with self._lock:
            self._waiting[alert.key] = alert

    def step(self) -> int:
        """Write what waits; return how many alerts that were.

        What cannot be written because of a bug is dropped: it is noticed again while it goes on.

        Raises:
            StoreUnavailable: The database is away; they go on waiting.
        """
        with self._lock:
            taken = dict(self._waiting)
        if not taken:
            return 0
        try:
            self._committer.commit(Changes(alerts=tuple(taken.values())), self._of(taken))
        except LeaseLost as error:
            log.warning("alerts.not_ours", alerts=len(taken), slots=len(error.slots))
        except RetryEvent:
            raise
        except Exception:  # a bug in an alert must not end the announcer's thread, and with it the master
            log.exception("alerts.failed", keys=sorted(taken))
        with self._lock:
            for key in taken:
                self._waiting.pop(key, None)
        return len(taken)

    def _of(self, alerts: Mapping[str, Alert]) -> Leases:
        slots = {one.slot for one in alerts.values()}
        epochs = {slot: epoch for slot, epoch in self._leases.epochs.items() if slot in slots}
        return Leases(owner=self._leases.owner, epochs=epochs)


def _text(said: str) -> str:
    """Return a text that the database takes."""
    cleaned: Any = clean(said)
    return str(cleaned)[:MOST_TEXT]
