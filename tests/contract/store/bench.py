"""A workbench for store tests: a database with a master's leases, builders with defaults, and its contents."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, event, select

from orchestrator.core.changes import Changes, InstanceChange, Leases
from orchestrator.core.command import Alert, CommandKind, Mail
from orchestrator.core.definition import TaskDefinition, WorkflowDefinition
from orchestrator.core.instance import TaskInstance
from orchestrator.core.status import TaskState
from orchestrator.store.commands import Commands
from orchestrator.store.commit import GroupCommit
from orchestrator.store.definitions import Definitions, Deployed
from orchestrator.store.instances import Instances, LoadedInstance
from orchestrator.store.leases import SlotLeases
from orchestrator.store.schema import metadata
from orchestrator.store.session import reading
from orchestrator.store.submissions import Submissions, SubmitRequest, Submitted

OWNER = "incarnation-1"
LEASE_S = 60.0
AT = datetime(2026, 11, 1, 2, 3, 4, 567890, tzinfo=UTC)

Contents = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A database, what works on it, and the leases of one master."""

    engine: Engine
    leases: Leases

    @property
    def committer(self) -> GroupCommit:
        """What commits batches."""
        return GroupCommit(self.engine)

    @property
    def instances(self) -> Instances:
        """What loads runs."""
        return Instances(self.engine)

    @property
    def commands(self) -> Commands:
        """What reads and sends commands."""
        return Commands(self.engine)

    def commit(self, *changes: InstanceChange, **others: Any) -> datetime:
        """Commit changes of instances, and whatever else a batch may write, under the master's leases."""
        return self.committer.commit(Changes(instances=changes, **others), self.leases)

    def deploy(self, *tasks: TaskDefinition, **fields: Any) -> Deployed:
        """Deploy a definition; by default of one task `a`."""
        return Definitions(self.engine).deploy(make_definition(*tasks, **fields))

    def submit(self, **fields: Any) -> Submitted:
        """Submit a run; by default of a definition that is deployed on the way."""
        if "definition_id" not in fields:
            fields["definition_id"] = self.deploy().id
        return Submissions(self.engine).submit(SubmitRequest(**fields))

    def submit_and_load(self) -> LoadedInstance:
        """Return a new run as a master loads it."""
        return self.load(self.submit().id)

    def load(self, number: int) -> LoadedInstance:
        """Return one run as a master loads it."""
        return self.instances.load([number])[number]

    def run_with(self, *tasks: str) -> LoadedInstance:
        """Return a run with a committed, SUBMITTED attempt of each task."""
        loaded = self.submit_and_load()
        new = tuple(make_attempt(loaded, task, sequence=n) for n, task in enumerate(tasks, start=1))
        self.commit(InstanceChange(head=loaded.head, revision=loaded.revision, new=new))
        return self.load(loaded.head.id)

    def contents(self) -> Contents:
        """Return every row of every table, to compare the whole database before and after."""
        with reading(self.engine) as connection:
            return {
                table.name: sorted(
                    (dict(row) for row in connection.execute(select(table)).mappings()), key=repr
                )
                for table in metadata.sorted_tables
            }


def make_bench(engine: Engine) -> Bench:
    """Return a bench whose master holds all slots."""
    return Bench(engine=engine, leases=SlotLeases(engine).acquire(OWNER, LEASE_S))


def make_definition(*tasks: TaskDefinition, name: str = "nightly", **fields: Any) -> WorkflowDefinition:
    """Return a definition; by default of one task `a`."""
    return WorkflowDefinition(name=name, tasks=tasks or (TaskDefinition(name="a", type="noop"),), **fields)


def make_attempt(loaded: LoadedInstance, task: str = "a", **fields: Any) -> TaskInstance:
    """Return a SUBMITTED first attempt of `task`."""
    values: dict[str, Any] = {
        "workflow_instance_id": loaded.head.id,
        "task": task,
        "attempt": 1,
        "sequence": 1,
        "type": "noop",
        "state": TaskState.SUBMITTED,
        "ticket": "secret",
        "submitted_at": AT,
    }
    return TaskInstance(**{**values, **fields})


def make_mail(loaded: LoadedInstance) -> Mail:
    """Return a command to this run."""
    head = loaded.head
    return Mail(workflow_instance_id=head.id, kind=CommandKind.STOP, body={"why": ["é", 1]})


def make_alert(loaded: LoadedInstance, key: str = "17:workflow_failure:1") -> Alert:
    """Return an alert about this run."""
    head = loaded.head
    return Alert(
        key=key, slot=head.slot, workflow_instance_id=head.id, kind="workflow_failure", body={"a": 1}
    )


@contextmanager
def listening(engine: Engine, name: str, listener: Any, **how: bool) -> Iterator[None]:
    """Have SQLAlchemy call `listener` at the event `name` within the block."""
    event.listen(engine, name, listener, **how)
    try:
        yield
    finally:
        event.remove(engine, name, listener)
