"""Owns an attempt's timers beside its main one: looks at other workflows' runs, and the limit of its queueing."""

from datetime import timedelta

from orchestrator.core.definition import TaskDefinition
from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.notice import QueueTimeout, about
from orchestrator.core.wants import queue_deadline
from orchestrator.master.due import AT_ONCE, LOOKS, QUEUED, Due
from orchestrator.master.holdings import Token
from orchestrator.master.ready import Key, ReadyQueue
from orchestrator.master.timers import Timers


class Vigils:
    """Runs in the loop's thread, as a part of the effects.

    Args:
        timers: Where the timers are set.
        docket: Where an attempt waits for a look.
    """

    def __init__(self, timers: Timers[Due], docket: ReadyQueue) -> None:
        self._timers = timers
        self._docket = docket
        self._watched: dict[Key, Token] = {}

    def note(self, head: Head, task: TaskDefinition, attempt: TaskInstance) -> None:
        """Set or cancel the timer of an attempt that may wait so long for a worker and no longer.

        As long as nobody could have started it, or said so, its time does not count.
        """
        if task.queue_timeout_s is None:
            return
        key = (head.id, attempt.task)
        at = queue_deadline(head, task, attempt)
        if at is None:
            self._timers.cancel((QUEUED, *key))
            return
        since = at - timedelta(seconds=task.queue_timeout_s)
        notice = about(attempt, QueueTimeout)
        due = Due(head.slot, key, notice, mark=QUEUED, accuses=True, counts_from=since)
        self._timers.set(due.timer, at, due)

    def watch(self, key: Key, attempt: TaskInstance) -> None:
        """Have other workflows' runs looked at, at once the first time; after that the one who looks says when."""
        if self._watched.get(key) != attempt.token:
            self._watched[key] = attempt.token
            self._docket.push(key, LOOKS, AT_ONCE)

    def unwatch(self, key: Key) -> None:
        """Have nobody look any more; a look that waits on the docket is not withdrawn from there."""
        if self._watched.pop(key, None) is not None:
            self._timers.cancel((LOOKS, *key))

    def forget(self, key: Key) -> None:
        """Forget an attempt."""
        self.unwatch(key)
        self._timers.cancel((QUEUED, *key))

    def clear(self) -> None:
        """Forget everything; the timers are cleared by their owner."""
        self._watched.clear()
