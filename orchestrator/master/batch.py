"""Owns one batch: items decided and applied one after the other, what they write, and how to undo them."""

from typing import assert_never

from orchestrator.broker.stream import Entry
from orchestrator.core.cache import CacheEntry
from orchestrator.core.changes import Changes, InstanceChange
from orchestrator.core.command import MEETS_ENDED, Alert, Command, CommandKind, Mail
from orchestrator.core.decide import decide_command, decide_notice, decide_report
from orchestrator.core.event import TaskRunning
from orchestrator.core.family import answer_to, is_mail
from orchestrator.core.handlers.token import check_event
from orchestrator.core.instance import Head
from orchestrator.core.notice import CannotStart
from orchestrator.core.run import WorkflowInstance
from orchestrator.core.serial import Turn
from orchestrator.core.status import WORKFLOW_FINAL
from orchestrator.core.transition import Context, Transition
from orchestrator.errors import AheadOfMemory, Conflict, DropEvent, RepeatedEvent, StaleEvent, UnknownInstance
from orchestrator.master import alerts
from orchestrator.master.cut import Cut
from orchestrator.master.items import CommandItem, InstanceItem, NoticeItem, RefusedItem, ReportItem
from orchestrator.master.lanes import Lanes
from orchestrator.master.pool_moves import PoolMoves
from orchestrator.master.touched import Bearing, Touched


class Batch:
    """Decides items in order, each on what the ones before it left.

    Args:
        lanes: The runs, already loaded.
        context: Time, chance, live workers.
    """

    def __init__(self, lanes: Lanes, context: Context) -> None:
        self._lanes = lanes
        self._context = context
        self._undo: list[tuple[WorkflowInstance, Transition]] = []
        self.touched: dict[int, Touched] = {}
        self.verdicts: list[tuple[Entry, str]] = []
        self.buried: list[tuple[Entry, str]] = []
        self.dropped: list[tuple[InstanceItem, DropEvent]] = []
        self.done_commands: list[int] = []
        self.failed_commands: dict[int, str] = {}
        self.mail: list[Mail] = []
        self._revived: set[int] = set()
        self.children: list[Head] = []
        self.turns: list[Turn] = []
        self.cached: list[CacheEntry] = []
        self.alerts: list[Alert] = []
        self.pool_moves = PoolMoves()
        self.cut: dict[int, Cut] = {}
        self.ahead: dict[int, list[InstanceItem]] = {}
        self.heard: set[str] = set()
        self.slots: set[int] = set()
        self.rows = 0

    def take(self, item: InstanceItem) -> None:
        """Decide one item and apply it; an item that raises is cut off with all that follows in its lane."""
        number = item.workflow_instance_id
        if number in self.cut:
            self.cut[number].items.append(item)
            return
        if number in self.ahead:
            self.ahead[number].append(item)
            return
        try:
            self._decide(item)
        except DropEvent as error:
            self._drop(item, error)
        except AheadOfMemory as error:
            self._put_off(item, error)
        except Conflict as error:
            self._refuse(item, error)
        except Exception as error:  # noqa: BLE001  a bug in one lane must not stop the others (R7)
            self.cut[number] = Cut(error, [item])

    def answer(self, entry: Entry, verdict: str) -> None:
        """Give a verdict on an entry, after the commit."""
        self.slots.add(entry.slot)
        self.verdicts.append((entry, verdict))

    def bury(self, entry: Entry, reason: str) -> None:
        """Send an entry to the dead letters, after the commit; people are told."""
        self.slots.add(entry.slot)
        self.buried.append((entry, reason))
        self.alerts.append(alerts.buried(entry, reason))

    def give_up(self, item: RefusedItem) -> None:
        """Keep a command among the failed ones, and answer it: whoever waits for it hears of that with it."""
        if item.command_id not in self.failed_commands and item.answer is not None:
            self.mail.append(item.answer)
        self.failed_commands[item.command_id] = item.reason

    def changes(self) -> Changes:
        """Return everything the transaction has to write."""
        return Changes(
            instances=tuple(
                InstanceChange(
                    head=one.instance.head,
                    revision=one.instance.revision,
                    new=tuple(one.inserted.values()),
                    changed=tuple(one.updated.values()),
                    withdrawn=tuple(one.withdrawn.values()),
                )
                for one in self.touched.values()
            ),
            done_commands=tuple(self.done_commands),
            failed_commands=self.failed_commands,
            mail=tuple(self.mail),
            children=tuple(self.children),
            turns=tuple(self.turns),
            alerts=tuple(self.alerts),
            released=self.pool_moves.released,
            lined_up=self.pool_moves.lined_up,
            cached=tuple(self.cached),
        )

    @property
    def addressed(self) -> list[int]:
        """The runs that find a command when the transaction is committed."""
        return [*(one.workflow_instance_id for one in self.mail), *(one.id for one in self.children)]

    def undo(self) -> None:
        """Apply all inverses, newest first: memory is exactly what it was."""
        while self._undo:
            instance, inverse = self._undo.pop()
            instance.apply(inverse)
        for one in self.touched.values():
            if one.instance.head.state in WORKFLOW_FINAL:
                self._lanes.put_down(one.instance)

    def settle(self) -> None:
        """Take note that the transaction is committed: the revisions moved on."""
        for one in self.touched.values():
            one.instance.revision += 1
        self._undo.clear()

    def _decide(self, item: InstanceItem) -> None:
        unloadable = self._lanes.unloadable.get(item.workflow_instance_id)
        if unloadable is not None:
            raise unloadable
        if isinstance(item, CommandItem) and item.command.id in self.done_commands:
            raise RepeatedEvent(f"command {item.command.id}: already applied in this batch")
        instance = self._lanes.get(item.workflow_instance_id)
        if instance is None:
            self._decide_ended(item)
            return
        match item:
            case ReportItem():
                transition = decide_report(instance, item.event, self._context)
            case CommandItem():
                transition = self._decide_command(instance, item)
            case NoticeItem():
                transition = decide_notice(instance, item.notice, self._context)
            case _:
                assert_never(item)
        self._apply(instance, transition)
        self._accept(item)

    def _decide_command(self, instance: WorkflowInstance, item: CommandItem) -> Transition:
        if self._is_from_before(item.command):
            raise RepeatedEvent("what was seen of the child was before this batch asked it to run again")
        reason = self._lanes.broken.get(instance.head.id)
        if reason is not None and item.command.kind in {CommandKind.START, CommandKind.WAKE}:
            notice = CannotStart(workflow_instance_id=instance.head.id, reason=reason)
            return decide_notice(instance, notice, self._context)
        if reason is not None and item.command.kind in {CommandKind.RESUME, *MEETS_ENDED}:
            raise Conflict(f"run {instance.head.id} can never start: {reason}")
        return decide_command(instance, item.command, self._context)

    def _is_from_before(self, command: Command) -> bool:
        """Whether it speaks of a child that this batch has asked to run again since it was looked at."""
        child = command.body.get("child") if command.kind is CommandKind.CHILD_CHANGED else None
        return isinstance(child, int) and child in self._revived

    def _decide_ended(self, item: InstanceItem) -> None:
        """Decide on a run that has ended or does not exist: only commands that say so let it run again."""
        instance = self._lanes.ended(item.workflow_instance_id)
        if instance is None:
            raise UnknownInstance(f"there is no run {item.workflow_instance_id}")
        match item:
            case CommandItem():
                self._apply(instance, self._decide_command(instance, item))
                self._accept(item)
                return
            case ReportItem():
                event = item.event
                row = self._lanes.late_attempt((event.workflow_instance_id, event.task, event.attempt))
                if row is None:
                    raise UnknownInstance(
                        f"run {instance.head.id} has no {event.task} attempt {event.attempt}"
                    )
                check_event(row, event)
                raise StaleEvent(f"run {instance.head.id} has ended")
        raise RepeatedEvent(f"run {instance.head.id} has ended")

    def _apply(self, instance: WorkflowInstance, transition: Transition) -> None:
        number = instance.head.id
        if number not in self.touched:
            self.touched[number] = Touched(instance, Bearing.of(instance.head))
            self._lanes.take_up(instance)
        self.slots.add(instance.head.slot)
        self._undo.append((instance, instance.apply(transition)))
        self.touched[number].add(transition)
        self.mail.extend(transition.mail)
        self._revived.update(
            mail.workflow_instance_id for mail in transition.mail if mail.kind is CommandKind.RECOVER
        )
        self.children.extend(transition.children)
        self.turns.extend(transition.turns)
        self.alerts.extend(transition.alerts)
        self.pool_moves.add(transition)
        self.cached.extend(transition.cached)
        written = (transition.inserted, transition.updated, transition.withdrawn)
        rows = (*written, transition.children, transition.mail)
        self.rows += sum(map(len, rows))

    def _accept(self, item: InstanceItem) -> None:
        if isinstance(item, ReportItem) and isinstance(item.event, TaskRunning):
            self.heard.add(item.event.incarnation)
        if isinstance(item, ReportItem) and item.entry is not None:
            self.answer(item.entry, "ok")
        elif isinstance(item, CommandItem):
            self.slots.add(item.command.slot)
            self.done_commands.append(item.command.id)

    def _drop(self, item: InstanceItem, error: DropEvent) -> None:
        self.dropped.append((item, error))
        if isinstance(item, CommandItem):
            self.slots.add(item.command.slot)
            if is_mail(item.command):
                self._answer_mail(item.command)
            elif isinstance(error, UnknownInstance):
                self.failed_commands[item.command.id] = str(error)
            else:
                self.done_commands.append(item.command.id)
        elif isinstance(item, ReportItem) and item.entry is not None:
            if error.verdict == "buried":
                self.bury(item.entry, str(error))
            else:
                self.answer(item.entry, error.verdict)

    def _put_off(self, item: InstanceItem, error: AheadOfMemory) -> None:
        """Leave an event that memory does not know for after a reload; after one, it does not exist."""
        if isinstance(item, ReportItem) and item.reloaded:
            self._drop(item, UnknownInstance(str(error)))
        else:
            self.ahead[item.workflow_instance_id] = [item]

    def _refuse(self, item: InstanceItem, error: Conflict) -> None:
        if isinstance(item, CommandItem) and is_mail(item.command):
            self.slots.add(item.command.slot)
            self._answer_mail(item.command)
        elif isinstance(item, CommandItem):
            self.failed_commands[item.command.id] = str(error)

    def _answer_mail(self, command: Command) -> None:
        """End mail that changed nothing, and have a parent look at its child: nobody waits for ever."""
        self.done_commands.append(command.id)
        answer = answer_to(command)
        if answer is not None:
            self.mail.append(answer)
