"""Owns what inputs are made of: the runs' outputs that a task sees, fetched for many attempts at a time."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.core.elements import element_name, extent_of, gathers, group_of
from orchestrator.core.inputs import wanted_by_check, wanted_outputs
from orchestrator.core.instance import TaskInstance
from orchestrator.core.outputs import OutputIndex, outputs_given
from orchestrator.core.run import WorkflowInstance
from orchestrator.core.status import TaskState
from orchestrator.core.surroundings import Surroundings
from orchestrator.errors import StoreUnavailable, UnresolvedParameter
from orchestrator.master.cut import Cut, Park
from orchestrator.master.lanes import AttemptKey, Lanes
from orchestrator.master.ready import Key

Values = Mapping[AttemptKey, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An attempt whose inputs are wanted.

    Attributes:
        latest: Output name to the upstream task whose value counts.
        sources: The attempts whose outputs its inputs are made of.
    """

    instance: WorkflowInstance
    attempt: TaskInstance
    latest: Mapping[str, str]
    sources: tuple[TaskInstance, ...]

    @property
    def number(self) -> int:
        """Id of its run."""
        return self.instance.head.id

    @property
    def group(self) -> str:
        """The worker group that it is for."""
        task = self.instance.graph.tasks[self.attempt.task]
        return task.worker_group or self.instance.head.worker_group

    @property
    def environment(self) -> str:
        """Name of the environment that the task or the workflow refers to, or nothing."""
        task = self.instance.graph.tasks[self.attempt.task]
        return task.environment or self.instance.definition.environment or ""

    @property
    def key(self) -> Key:
        """Run and task."""
        return (self.number, self.attempt.task)


class Supplies:
    """Runs in the loop's thread. A bug in one run parks it and does not stop the others (R7).

    Args:
        lanes: The runs in memory.
        park: Takes a run out of the way.
    """

    def __init__(self, lanes: Lanes, park: Park) -> None:
        self._lanes = lanes
        self._park = park
        self._indexes: dict[int, OutputIndex] = {}
        self._environments: Mapping[str, Mapping[str, Any]] = {}

    def candidates(self, keys: Iterable[Key]) -> list[Candidate]:
        """Return those of `keys` that are still submitted, with what their inputs will be made of."""
        found = []
        for number, task in keys:
            instance = self._lanes.get(number)
            attempt = instance.attempts.get(task) if instance else None
            if instance is None or attempt is None:
                continue
            if attempt.state is not TaskState.SUBMITTED and not gathers(attempt):
                continue
            try:
                found.append(self._candidate(instance, attempt))
            except Exception as error:  # noqa: BLE001  a bug in one run must not stop the others (R7)
                self._park(number, Cut(error, []))
        return found

    def is_here(self, candidate: Candidate) -> bool:
        """Return whether its run is still the one in memory: it may have been parked meanwhile."""
        return self._lanes.get(candidate.number) is candidate.instance

    def values(self, candidates: Sequence[Candidate]) -> Values:
        """Return the outputs that are wanted; where one cannot be read, ask for each alone and park its run.

        The environments of the same attempts are looked up with them, for `surroundings`.

        Raises:
            StoreUnavailable: The database is away.
        """
        self._environments = self._lanes.environments({one.environment for one in candidates} - {""})
        return self._outputs(candidates)

    def _outputs(self, candidates: Sequence[Candidate]) -> Values:
        try:
            return self._lanes.outputs(source for one in candidates for source in one.sources)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  a bug in one run must not stop the others (R7)
            if len(candidates) == 1:
                self._park(candidates[0].number, Cut(error, []))
                return {}
        found: dict[AttemptKey, Mapping[str, Any]] = {}
        for one in candidates:
            if self.is_here(one):  # else it was parked for another of its tasks
                found.update(self._outputs([one]))
        return found

    def surroundings(self, candidate: Candidate, values: Values) -> Surroundings:
        """Return everything that may give a parameter of this attempt its value.

        Raises:
            UnresolvedParameter: Its environment is gone.
        """
        return Surroundings(
            definition=candidate.instance.definition,
            head=candidate.instance.head,
            attempt=candidate.attempt,
            latest=candidate.latest,
            outputs={source.task: outputs_given(source, values[source.key]) for source in candidate.sources},
            environment=self._environment(candidate),
            elements=_elements(candidate),
        )

    def candidate(
        self, instance: WorkflowInstance, attempt: TaskInstance, names: Collection[str]
    ) -> Candidate:
        """Return an attempt that has ended, with what the check of its outputs is made of.

        Args:
            instance: Its run.
            attempt: The attempt.
            names: What the check refers to, as paths.
        """
        latest = self._latest(instance, attempt.task)
        wanted = wanted_by_check(instance.graph.tasks[attempt.task], latest, names)
        sources = tuple(_with_outputs(instance, wanted))
        return Candidate(instance=instance, attempt=attempt, latest=latest, sources=sources)

    def _environment(self, candidate: Candidate) -> Mapping[str, Any]:
        name = candidate.environment
        if not name:
            return {}
        if name not in self._environments:
            raise UnresolvedParameter(f"there is no environment '{name}'")
        return self._environments[name]

    def forget(self, workflow_instance_id: int) -> None:
        """Forget what is remembered about a run's outputs."""
        self._indexes.pop(workflow_instance_id, None)

    def _candidate(self, instance: WorkflowInstance, attempt: TaskInstance) -> Candidate:
        if gathers(attempt):
            names = [element_name(attempt.task, index) for index in range(extent_of(attempt) or 0)]
            elements = tuple(_with_outputs(instance, names))
            return Candidate(instance=instance, attempt=attempt, latest={}, sources=elements)
        latest = self._latest(instance, attempt.task)
        wanted = wanted_outputs(instance.graph.tasks[attempt.task], latest)
        return Candidate(
            instance=instance,
            attempt=attempt,
            latest=latest,
            sources=tuple(_with_outputs(instance, wanted)),
        )

    def _latest(self, instance: WorkflowInstance, task: str) -> Mapping[str, str]:
        task = group_of(task) or task
        if not instance.graph.upstream[task]:
            return {}
        index = self._indexes.get(instance.head.id)
        if index is None:
            index = self._indexes[instance.head.id] = OutputIndex(instance.graph)
        return index.sources(task, instance.attempts)


def _elements(candidate: Candidate) -> int | None:
    """Return how many elements the map of an element was found to have."""
    group = candidate.instance.attempts.get(group_of(candidate.attempt.task) or "")
    return None if group is None else extent_of(group)


def _with_outputs(instance: WorkflowInstance, tasks: Iterable[str]) -> Iterator[TaskInstance]:
    """Yield the current attempts of these tasks that give outputs."""
    for task in tasks:
        attempt = instance.attempts.get(task)
        if attempt is not None and attempt.state in (TaskState.SUCCESS, TaskState.FORCED_SUCCESS):
            yield attempt
