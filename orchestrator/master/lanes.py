"""Owns the lanes: the runs in memory, which of them are parked, and how missing ones are loaded."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Protocol

from orchestrator.broker.codec import clean
from orchestrator.core.command import Mail
from orchestrator.core.dag import Graph, compile_graph, select_tasks
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.core.draft import Draft
from orchestrator.core.instance import TaskInstance
from orchestrator.core.outputs import StoredOutputs
from orchestrator.core.run import WorkflowInstance
from orchestrator.core.status import WORKFLOW_FINAL
from orchestrator.core.transition import Context, Transition
from orchestrator.errors import DefinitionError, RetryEvent
from orchestrator.store.instances import LoadedInstance, is_big

AttemptKey = tuple[int, str, int]

MOST_BURIAL = 2000
"""Characters; the text of an error may be anything, and of any length."""


class InstanceSource(Protocol):
    """Where runs are loaded from."""

    def load(
        self, ids: Iterable[int], *, lock: bool = False, whole: Collection[int] = ()
    ) -> Mapping[int, LoadedInstance]:
        """Return the rows of these instances; `lock` waits for a transaction in doubt.

        Of those in `whole` the attempts come too when they have ended.
        """
        ...

    def attempts(self, keys: Iterable[AttemptKey]) -> Mapping[AttemptKey, TaskInstance]:
        """Return single attempts by instance, task and attempt."""
        ...

    def outputs(self, keys: Iterable[AttemptKey]) -> Mapping[AttemptKey, Mapping[str, Any]]:
        """Return the outputs of single attempts."""
        ...

    def environments(self, names: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """Return the variables of environments, by name."""
        ...

    def definition(self, definition_id: int) -> WorkflowDefinition:
        """Return a definition."""
        ...


@dataclass(slots=True)
class Parked:
    """A lane that failed: it waits with growing back-off and keeps entry ids only.

    Attributes:
        entries: Slot and id of the stream entries that wait for it, in order.
        entry: Slot and id of the entry that failed, if it was one.
        command_id: The command that failed, if it was one; commands stay rows.
        answer: What is said in the place of that command if it is given up.
        retry_at: Monotonic time of the next try.
    """

    error: str
    since: float
    tries: int = 0
    retry_at: float = 0.0
    entries: deque[tuple[int, str]] = field(default_factory=deque)
    entry: tuple[int, str] | None = None
    command_id: int | None = None
    answer: Mail | None = None

    @property
    def burial(self) -> str:
        """Why what failed is given up, for people."""
        return str(clean(f"buried by request; it failed with {self.error}"))[:MOST_BURIAL]


class Lanes:
    """The runs in memory. Only the loop uses it.

    Args:
        source: Where missing runs come from.
        on_load: Called with each unfinished run that was loaded, to arm what its rows ask for.

    Attributes:
        parked: The lanes that failed.
        broken: Runs whose definition can never start, with the reason.
        unloadable: Runs that could not be loaded because of a bug; they are to be parked.
    """

    def __init__(self, source: InstanceSource, on_load: Callable[[WorkflowInstance], None]) -> None:
        self._source = source
        self._on_load = on_load
        self._instances: dict[int, WorkflowInstance] = {}
        self._ended: dict[int, WorkflowInstance] = {}
        self._late: dict[AttemptKey, TaskInstance] = {}
        self._suspects: set[int] = set()
        self.parked: dict[int, Parked] = {}
        self.broken: dict[int, str] = {}
        self.unloadable: dict[int, Exception] = {}
        self._sick: dict[int, LoadedInstance] = {}
        self._compiled = lru_cache(maxsize=512)(self._compile)

    def load(
        self,
        ids: Iterable[int],
        late: Iterable[AttemptKey],
        context: Context,
        whole: Collection[int] = (),
    ) -> None:
        """Make every instance of `ids` that exists available, in one query for those not in memory.

        Args:
            ids: Workflow instance ids.
            late: Attempts that events speak of: for an ended run the one attempt row decides.
            context: For rebuilding the counters.
            whole: Runs that a command may let run again: if they have ended, they come with their attempts.

        Raises:
            StoreUnavailable: The database is away.
        """
        self._ended.clear()
        self._late.clear()
        missing = {one for one in ids if one not in self._instances}
        if not missing:
            return
        lock = bool(missing & self._suspects)
        loaded = self._source.load(missing, lock=lock, whole=missing.intersection(whole))
        self._suspects -= missing
        for one in loaded.values():
            self._admit_safely(one, context)
        asked = {key for key in late if key[0] in self._ended}
        if asked:
            self._late.update(self._source.attempts(asked))

    def get(self, workflow_instance_id: int) -> WorkflowInstance | None:
        """Return the unfinished run in memory, or `None`."""
        return self._instances.get(workflow_instance_id)

    def ended(self, workflow_instance_id: int) -> WorkflowInstance | None:
        """Return a run that has ended, without attempts unless asked for, or `None`; as of the last `load`."""
        return self._ended.get(workflow_instance_id)

    def take_up(self, instance: WorkflowInstance) -> None:
        """Keep a run in memory that a command has just changed; if it had ended, it was only looked at so far."""
        self._ended.pop(instance.head.id, None)
        self._instances[instance.head.id] = instance

    def put_down(self, instance: WorkflowInstance) -> None:
        """Undo `take_up` of a run that had ended: nothing came of the command."""
        del self._instances[instance.head.id]
        self._ended[instance.head.id] = instance

    def late_attempt(self, key: AttemptKey) -> TaskInstance | None:
        """Return one attempt row of an ended run, or `None`; as of the last `load`."""
        return self._late.get(key)

    def slim(self, instance: WorkflowInstance, row: TaskInstance) -> None:
        """Keep only the names of a committed row's outputs if they are big: the database has the values."""
        if row.outputs and instance.attempts.get(row.task) is row and is_big(row.outputs):
            lean = replace(row, outputs=StoredOutputs(row.outputs))
            instance.apply(Transition(current=((row.task, lean),)))

    def outputs(self, attempts: Iterable[TaskInstance]) -> dict[AttemptKey, Mapping[str, Any]]:
        """Return the outputs of these attempts; what memory does not keep comes in one query.

        Raises:
            StoreUnavailable: The database is away.
        """
        found = {one.key: one.outputs for one in attempts}
        missing = [key for key, outputs in found.items() if isinstance(outputs, StoredOutputs)]
        if missing:
            found.update(self._source.outputs(missing))
        return found

    def environments(self, names: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """Return the variables of these environments, by name, in one query; of those that there are.

        Raises:
            StoreUnavailable: The database is away.
        """
        return self._source.environments(names) if names else {}

    def all(self) -> list[WorkflowInstance]:
        """Return the runs in memory."""
        return list(self._instances.values())

    def standing(self, workflow_instance_id: int) -> tuple[int, int] | None:
        """Return slot and revision of a run as it was last loaded or committed; `None` if it is not here."""
        found = (
            self._instances.get(workflow_instance_id)
            or self._ended.get(workflow_instance_id)
            or self._sick.get(workflow_instance_id)
        )
        return (found.head.slot, found.revision) if found is not None else None

    def evict(self, ids: Iterable[int], *, suspect: bool = False) -> None:
        """Forget runs; a suspect one is loaded under a lock next time."""
        for one in ids:
            self._instances.pop(one, None)
            self.broken.pop(one, None)
            self.unloadable.pop(one, None)
            self._sick.pop(one, None)
            if suspect:
                self._suspects.add(one)

    def clear(self) -> None:
        """Forget everything: the slots belong to somebody else."""
        self._instances.clear()
        self._suspects.clear()
        self.parked.clear()
        self.broken.clear()
        self.unloadable.clear()
        self._sick.clear()

    def __len__(self) -> int:
        return len(self._instances)

    def _admit_safely(self, loaded: LoadedInstance, context: Context) -> None:
        """Admit one run; a bug that shows there must not keep the others from being loaded (R7)."""
        self.unloadable.pop(loaded.head.id, None)
        self._sick.pop(loaded.head.id, None)
        try:
            self._admit(loaded, context)
        except RetryEvent:
            raise
        except Exception as error:  # noqa: BLE001  whoever asked for this run has it parked
            self.unloadable[loaded.head.id] = error
            self._sick[loaded.head.id] = replace(loaded, attempts=())

    def _admit(self, loaded: LoadedInstance, context: Context) -> None:
        head = loaded.head
        try:
            definition, graph = self._compiled(head.definition_id, head.start_nodes, head.depends)
        except DefinitionError as error:
            if head.started_at is not None and head.state not in WORKFLOW_FINAL:
                raise  # its attempts are real: it waits, parked, for a program that understands it
            definition = WorkflowDefinition(name=head.workflow, tasks=())
            graph = compile_graph(definition)
            self.broken[head.id] = str(error)
        ended = head.state in WORKFLOW_FINAL
        instance = WorkflowInstance(
            head=head,
            revision=loaded.revision,
            definition=definition,
            graph=graph,
            attempts=() if head.id in self.broken else loaded.attempts,
            spent=loaded.spent,
        )
        if ended:
            self._ended[head.id] = instance
            return
        draft = Draft(instance, context)
        draft.rebuild()
        instance.apply(draft.transition())
        self._instances[head.id] = instance
        self._on_load(instance)

    def _compile(
        self, definition_id: int, start_nodes: tuple[str, ...], depends: str
    ) -> tuple[WorkflowDefinition, Graph]:
        definition = select_tasks(self._source.definition(definition_id), start_nodes, depends)
        return definition, compile_graph(definition)
