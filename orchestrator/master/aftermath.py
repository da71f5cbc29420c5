"""Owns what comes after a commit: doing what the rows ask for, and forgetting runs that memory may not keep."""

from collections.abc import Iterable

import structlog

from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.notice import Continue
from orchestrator.core.run import WorkflowInstance
from orchestrator.core.status import WORKFLOW_FINAL, TaskState
from orchestrator.master import notes
from orchestrator.master.effects import Effects
from orchestrator.master.items import InstanceItem, NoticeItem
from orchestrator.master.lanes import Lanes
from orchestrator.master.supplies import Supplies
from orchestrator.master.touched import Touched
from orchestrator.master.window import Window

log = structlog.get_logger(__name__)

_RESULTS = frozenset({TaskState.SUCCESS, TaskState.FAILURE, TaskState.KILLED})


class Aftermath:
    """Runs in the loop's thread. Nothing here raises into the loop.

    Args:
        lanes: The runs in memory.
        effects: Does what single rows ask for.
        supplies: Forgets runs, too.
        window: Told how much each group finished.
    """

    def __init__(self, lanes: Lanes, effects: Effects, supplies: Supplies, window: Window) -> None:
        self._lanes = lanes
        self._effects = effects
        self._supplies = supplies
        self._window = window

    def follow(self, touched: Touched) -> list[NoticeItem]:
        """Do what one run's committed rows ask for; after a bug there the run is loaded and armed again.

        Returns:
            What has it loaded again; mostly nothing.
        """
        try:
            self._follow(touched)
        except Exception:
            number = touched.instance.head.id
            log.exception("effects.failed", workflow_instance_id=number)
            return self.reload([number])
        return []

    def ask_again(self, dropped: Iterable[InstanceItem]) -> None:
        """Ask the rows that void notices spoke of: one whose time had not come yet must not be forgotten."""
        for item in dropped:
            instance = self._lanes.get(item.workflow_instance_id)
            if isinstance(item, NoticeItem) and instance is not None:
                self._effects.reconsider(instance, item.notice)

    def reload(self, ids: Iterable[int], *, suspect: bool = False) -> list[NoticeItem]:
        """Forget runs whose rows may have moved on; return what has them loaded, and armed, again.

        Args:
            ids: The runs.
            suspect: A transaction in doubt may still write them: they are loaded under a lock.
        """
        numbers = list(ids)
        for number in numbers:
            self._forget(number, suspect=suspect)
        return [NoticeItem(Continue(workflow_instance_id=number)) for number in numbers]

    def _follow(self, touched: Touched) -> None:
        instance, head = touched.instance, touched.instance.head
        if touched.began_again:  # what is remembered is about attempts that count no longer
            self._effects.forget(instance)
            self._supplies.forget(head.id)
        for row in touched.rows:
            notes.changed(head, row)
            self._effects.disown(row)
            self._count(instance, head, row)
            if row.current:
                self._effects.enact(instance, row)
                self._lanes.slim(instance, row)
        if touched.has_moved:
            notes.run_changed(head)
            self._effects.press(instance)
        if head.state in WORKFLOW_FINAL:
            self._forget(head.id)
        else:
            self._effects.look(instance)

    def _count(self, instance: WorkflowInstance, head: Head, row: TaskInstance) -> None:
        """Tell the window that a worker has finished something."""
        if row.state in _RESULTS and row.worker is not None:
            self._window.finished(instance.graph.tasks[row.task].worker_group or head.worker_group, 1)

    def _forget(self, number: int, *, suspect: bool = False) -> None:
        instance = self._lanes.get(number)
        if instance is not None:
            self._effects.forget(instance)
        self._supplies.forget(number)
        self._lanes.evict([number], suspect=suspect)
