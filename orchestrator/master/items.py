"""Owns the items of the loop: what waits to be decided, each about one workflow instance."""

from dataclasses import dataclass

from orchestrator.broker.stream import Entry
from orchestrator.core.command import Command, Mail
from orchestrator.core.decide import Report
from orchestrator.core.event import WorkerOnline
from orchestrator.core.notice import Notice


@dataclass(frozen=True, slots=True)
class ReportItem:
    """A worker's event from the stream, or (without an entry) the dispatcher's own.

    Attributes:
        reloaded: Its instance was reloaded for it: what is still unknown then does not exist.
    """

    event: Report
    entry: Entry | None = None
    reloaded: bool = False

    @property
    def workflow_instance_id(self) -> int:
        """The instance it speaks of."""
        return self.event.workflow_instance_id


@dataclass(frozen=True, slots=True)
class CommandItem:
    """A command row."""

    command: Command

    @property
    def workflow_instance_id(self) -> int:
        """The instance it speaks of."""
        return self.command.workflow_instance_id


@dataclass(frozen=True, slots=True)
class NoticeItem:
    """A fact from the master's own machinery."""

    notice: Notice

    @property
    def workflow_instance_id(self) -> int:
        """The instance it speaks of."""
        return self.notice.workflow_instance_id


@dataclass(frozen=True, slots=True)
class OnlineItem:
    """A worker's ONLINE: it speaks of every attempt of earlier incarnations in the entry's slot.

    Attributes:
        repeated: It was read before, and later events of its worker with it.
    """

    event: WorkerOnline
    entry: Entry
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class PoisonItem:
    """An entry that cannot be decoded."""

    entry: Entry
    reason: str


@dataclass(frozen=True, slots=True)
class WakeItem:
    """Somebody left a command in the table; the entry only says so."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class RefusedItem:
    """A command that people gave up, or that cannot be read: its row moves to `error_command`.

    Attributes:
        answer: What is said in its place to whoever waits, in the same transaction.
    """

    command_id: int
    reason: str
    answer: Mail | None = None


InstanceItem = ReportItem | CommandItem | NoticeItem
Item = InstanceItem | OnlineItem | PoisonItem | WakeItem | RefusedItem


def command_of(item: Item) -> int | None:
    """Return the id of the command that an item is about, if it is about one."""
    match item:
        case CommandItem(command):
            return command.id
        case RefusedItem(command_id):
            return command_id
    return None
