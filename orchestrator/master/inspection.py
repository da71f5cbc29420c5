"""Owns the checks of outputs: expressions over what a task gave, worked out while its result is decided."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from orchestrator.authoring.expressions import Expression, holds, parse
from orchestrator.core.cache import CachedOutputs
from orchestrator.core.definition import TaskDefinition
from orchestrator.core.event import TaskResult
from orchestrator.core.instance import TaskInstance
from orchestrator.core.notice import CacheLooked
from orchestrator.core.parameters import Scope
from orchestrator.core.status import TaskState
from orchestrator.core.surroundings import Surroundings, check_scope
from orchestrator.master.items import InstanceItem, NoticeItem, ReportItem
from orchestrator.master.lanes import AttemptKey, Lanes
from orchestrator.master.supplies import Candidate, Supplies

_parsed = lru_cache(maxsize=512)(parse)


class Inspector:
    """Runs in the loop's thread: first it fetches what checks look at, then it works them out without I/O.

    Args:
        lanes: The runs in memory.
        supplies: Where the outputs of upstreams come from.
    """

    def __init__(self, lanes: Lanes, supplies: Supplies) -> None:
        self._lanes = lanes
        self._supplies = supplies
        self._surroundings: dict[AttemptKey, Surroundings] = {}

    def prepare(self, items: Iterable[InstanceItem]) -> None:
        """Fetch what the checks of these results look at besides the results themselves; mostly nothing.

        Raises:
            StoreUnavailable: The database is away.
        """
        self._surroundings.clear()
        candidates = [found for item in items for found in self._candidates(item)]
        if candidates:
            values = self._supplies.values(candidates)
            for one in filter(self._supplies.is_here, candidates):  # else it was parked
                self._surroundings[one.attempt.key] = self._supplies.surroundings(one, values)

    def __call__(self, task: TaskDefinition, attempt: TaskInstance) -> bool:
        """Return whether the check of `task` holds on the outputs of `attempt`.

        Raises:
            UnresolvedParameter: It cannot be worked out.
        """
        if task.check is None:
            return True
        expression = _parsed(task.check["expression"])
        if not _looks_around(expression, attempt.outputs):
            return holds(expression, Scope(names=attempt.outputs, outputs={}))
        return holds(expression, check_scope(task, self._surroundings[attempt.key], attempt.outputs))

    def _candidates(self, item: InstanceItem) -> Iterator[Candidate]:
        task, outputs = _succeeding(item)
        instance = self._lanes.get(item.workflow_instance_id) if task else None
        attempt = instance.attempts.get(task) if instance else None
        check = instance.graph.tasks[task].check if instance and attempt else None
        if instance is None or attempt is None or check is None:
            return
        expression = _parsed(check["expression"])
        if _looks_around(expression, outputs):
            yield self._supplies.candidate(instance, attempt, tuple(expression.variables.values()))


def _succeeding(item: InstanceItem) -> tuple[str, Mapping[str, Any]]:
    """Return the task that an item may let succeed, and its outputs; an empty name: it does nothing like that."""
    match item:
        case ReportItem(event=TaskResult() as event) if event.state is TaskState.SUCCESS:
            return event.task, event.outputs
        case NoticeItem(notice=CacheLooked(found=CachedOutputs() as found) as notice):
            return notice.task, found.outputs
    return "", {}


def _looks_around(expression: Expression, outputs: Iterable[str]) -> bool:
    """Return whether the expression names what is none of the outputs: a parameter, another task's output."""
    given = set(outputs)
    return any(path.partition(".")[0] not in given for path in expression.variables.values())
