"""Owns every exception of the project: one tree, named for what the master does about it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar


class OrchestratorError(Exception):
    """Anything this project raises on purpose."""


# --- a user's mistake: exit code 2, HTTP 4xx -------------------------------------------------


class UserError(OrchestratorError):
    """The request cannot be carried out as it stands; the message names the place and the remedy."""


class NotFound(UserError):
    """What was named does not exist."""


class Conflict(UserError):
    """The request does not fit the present state."""


class SettingsError(UserError):
    """Settings are missing, wrong or contradict each other; every fault is listed."""


class SchemaMismatch(UserError):
    """The database's schema is older or newer than this program; the message holds the command to run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault of a definition, with its place.

    Attributes:
        message: What is wrong and what would be right.
        file: Path of the file as the user gave it, or `None` when it did not come from a file.
        line: Line in that file, from 1.
        task: Name of the task concerned.
        field: Name of the field concerned.
        workflow: Name of the workflow, where the place alone does not tell it.
    """

    message: str
    file: str | None = None
    line: int | None = None
    task: str | None = None
    field: str | None = None
    workflow: str | None = None

    def __str__(self) -> str:
        """Render as `file:line: task 'x', field 'y': message`."""
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        words = (("workflow", self.workflow), ("task", self.task), ("field", self.field))
        named = [f"{word} '{value}'" for word, value in words if value]
        return ": ".join(part for part in (place, ", ".join(named), self.message) if part)


class DefinitionError(UserError):
    """A workflow definition is wrong; `faults` lists everything at once."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class UnresolvedParameter(UserError):
    """A reference in a task's parameters has no value, or one of the wrong type or size."""


# --- an event is acknowledged and forgotten --------------------------------------------------


class DropEvent(OrchestratorError):
    """The event changes nothing; `verdict` is what its worker hears after the fenced commit."""

    verdict: ClassVar[str] = "ok"


class RepeatedEvent(DropEvent):
    """Already known, or overtaken by the same worker's own later report: normal under at-least-once."""


class StaleEvent(DropEvent):
    """The hand-over ended by somebody else's decision, or belongs to another worker."""

    verdict: ClassVar[str] = "stale"


class UnknownInstance(DropEvent):
    """The database has no such workflow instance or attempt."""

    verdict: ClassVar[str] = "stale"


class PoisonEvent(DropEvent):
    """The event goes to the dead-letter stream."""

    verdict: ClassVar[str] = "buried"


class MalformedEvent(PoisonEvent):
    """The entry cannot be decoded, is too large, or has an unknown type or version."""


class ForgedEvent(PoisonEvent):
    """The event does not show the ticket of its dispatch."""


# --- try again -------------------------------------------------------------------------------


class RetryEvent(OrchestratorError):
    """A service is away; the event stays where it is and is tried again."""


class StoreUnavailable(RetryEvent):
    """The database did not answer; nothing was committed."""


class CommitInDoubt(StoreUnavailable):
    """The reply of a COMMIT was lost: it may or may not have happened."""


class BrokerUnavailable(RetryEvent):
    """Redis or the Celery broker did not answer."""


class RevisionLost(OrchestratorError):
    """A guarded write hit no row: memory is behind the database for these workflow instances."""

    def __init__(self, workflow_instance_ids: Collection[int]) -> None:
        self.workflow_instance_ids = tuple(sorted(workflow_instance_ids))
        super().__init__(f"workflow instances changed underneath: {self.workflow_instance_ids}")


class CommandsGone(OrchestratorError):
    """Commands that were to be applied had no row any more: a commit in doubt had applied them."""

    def __init__(self, ids: Collection[int]) -> None:
        self.ids = tuple(sorted(ids))
        super().__init__(f"commands were applied before: {self.ids}")


class LeaseLost(OrchestratorError):
    """Another master owns these slots, or the epoch moved on."""

    def __init__(self, slots: Collection[int]) -> None:
        self.slots = tuple(sorted(slots))
        super().__init__(f"slots are no longer ours: {self.slots}")


class AheadOfMemory(OrchestratorError):
    """The event speaks of an attempt or dispatch that memory does not know yet: reload, then decide."""


class IllegalTransition(OrchestratorError):
    """A state change that the edge table does not have: a bug, or a forged report."""
