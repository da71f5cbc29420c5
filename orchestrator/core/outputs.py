"""Owns the outputs that memory has: which of them a task sees by bare name, and those without their values."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from orchestrator.core.dag import Graph
from orchestrator.core.elements import MAP
from orchestrator.core.instance import TaskInstance
from orchestrator.core.status import TASK_FINAL, TaskState

Order = tuple[datetime, int]
Seen = Mapping[str, tuple[Order, str]]

_NEVER = datetime.min.replace(tzinfo=UTC)
_GIVES_OUTPUTS = frozenset({TaskState.SUCCESS, TaskState.FORCED_SUCCESS})
_SETTLED = TASK_FINAL - {TaskState.LOST}


class StoredOutputs(Mapping[str, Any]):
    """The names of outputs whose values stand in the database alone.

    Reading a value is an error and never an empty answer; so is writing this into a row, which needs the values.
    Two of them are equal when they have the same names.

    Args:
        names: Names of the outputs, in their order.
    """

    __slots__ = ("_names",)

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(names)

    def __getitem__(self, name: str) -> Any:
        """Refuse.

        Raises:
            KeyError: There is no such output.
            ValuesNotHere: There is, and its value has to be loaded first.
        """
        if name not in self._names:
            raise KeyError(name)
        raise ValuesNotHere(f"the value of output '{name}' was not loaded")

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoredOutputs) and set(self._names) == set(other._names)

    def __hash__(self) -> int:
        return hash(frozenset(self._names))

    def __repr__(self) -> str:
        return f"StoredOutputs({self._names!r})"


class ValuesNotHere(RuntimeError):
    """Somebody reads outputs that were not loaded: a bug."""


class MapOutputs(dict[str, Any]):
    """The outputs of a map: a list for each name, and `result`, what each element gave as a whole.

    `${load.*}` means that list.
    """


def outputs_given(attempt: TaskInstance, outputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the outputs of an attempt as references see them."""
    return MapOutputs(outputs) if attempt.type == MAP else outputs


def whole(outputs: Mapping[str, Any]) -> Any:
    """Return all that a task gave: its only output `result`, else all outputs as a map; a map's list."""
    if set(outputs) == {"result"} or (isinstance(outputs, MapOutputs) and "result" in outputs):
        return outputs["result"]
    return dict(outputs) or None


def gather(elements: Sequence[Mapping[str, Any]], declared: Iterable[str] = ()) -> dict[str, Any]:
    """Return the outputs of a map, from those of its elements in order.

    Args:
        elements: Outputs of each; one that lacks a name that others have gives null for it.
        declared: Names of outputs that are there even if there is no element.
    """
    names = dict.fromkeys([*declared, *(name for outputs in elements for name in outputs)])
    lists = {name: [outputs.get(name) for outputs in elements] for name in names}
    return {**lists, "result": [whole(outputs) for outputs in elements]}


class OutputIndex:
    """What each task of one run passes on, remembered once it cannot change any more.

    Of equal names the one committed last wins.

    A task that adds nothing shares its upstream's map, so that a long chain costs one small map. Names of
    outputs are enough here; values are looked up when they are needed.

    Args:
        graph: The run's graph.
    """

    __slots__ = ("_graph", "_settled")

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._settled: dict[str, Seen] = {}

    def clear(self) -> None:
        """Forget everything: a finished task was made current again, by recover, rerun or force-success."""
        self._settled.clear()

    def sources(self, task: str, attempts: Mapping[str, TaskInstance]) -> dict[str, str]:
        """Return each output name that `task` sees, with the upstream task whose value counts.

        Args:
            task: The task whose inputs are wanted.
            attempts: The current attempts, as committed.
        """
        passed: dict[str, Seen] = {}
        for upstream in self._graph.upstream[task]:
            self._collect(upstream, attempts, passed)
        seen = _merge(self._passed(upstream, passed) for upstream in self._graph.upstream[task])
        return {name: source for name, (_, source) in seen.items()}

    def _collect(self, task: str, attempts: Mapping[str, TaskInstance], passed: dict[str, Seen]) -> None:
        """Fill in what `task` passes on, upstreams first; `passed` takes what may still change."""
        waiting = [task]
        while waiting:
            name = waiting[-1]
            missing = [one for one in self._graph.upstream[name] if not self._knows(one, passed)]
            if missing and not self._knows(name, passed):
                waiting.extend(missing)
                continue
            waiting.pop()
            if not self._knows(name, passed):
                self._note(name, attempts.get(name), passed)

    def _note(self, name: str, attempt: TaskInstance | None, passed: dict[str, Seen]) -> None:
        upstream = self._graph.upstream[name]
        seen = _merge([*(self._passed(one, passed) for one in upstream), _own(attempt)])
        settled = attempt is not None and attempt.state in _SETTLED
        keep = settled and all(one in self._settled for one in upstream)
        (self._settled if keep else passed)[name] = seen

    def _knows(self, name: str, passed: Mapping[str, Seen]) -> bool:
        return name in self._settled or name in passed

    def _passed(self, name: str, passed: Mapping[str, Seen]) -> Seen:
        return self._settled[name] if name in self._settled else passed[name]


def outputs_visible_to(task: str, graph: Graph, attempts: Mapping[str, TaskInstance]) -> dict[str, str]:
    """Return `OutputIndex.sources` for one question, without remembering anything."""
    return OutputIndex(graph).sources(task, attempts)


def _own(attempt: TaskInstance | None) -> Seen:
    if attempt is None or attempt.state not in _GIVES_OUTPUTS:
        return {}
    order = (attempt.ended_at or _NEVER, attempt.sequence)
    return dict.fromkeys(attempt.outputs, (order, attempt.task))


def _merge(maps: Iterable[Seen]) -> Seen:
    distinct = sorted({id(one): one for one in maps if one}.values(), key=len, reverse=True)
    if not distinct:
        return {}
    merged: dict[str, tuple[Order, str]] = {}
    for other in distinct[1:]:
        for name, source in other.items():
            if max(source, merged.get(name, source)) > distinct[0].get(name, (((_NEVER, 0)), "")):
                merged[name] = max(source, merged.get(name, source))
    return {**distinct[0], **merged} if merged else distinct[0]
