"""Owns the loop: the only writer. Decide, apply, commit, acknowledge, act: in this order, in one function."""

from collections import deque
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

import structlog

from orchestrator.core.changes import Leases
from orchestrator.core.command import MEETS_ENDED
from orchestrator.core.transition import Context
from orchestrator.crash import crash_point
from orchestrator.errors import (
    BrokerUnavailable,
    CommandsGone,
    CommitInDoubt,
    LeaseLost,
    RevisionLost,
    StoreUnavailable,
)
from orchestrator.master import notes
from orchestrator.master.apart import by_lane
from orchestrator.master.backoff import Backoff
from orchestrator.master.batch import Batch
from orchestrator.master.crew import Crew
from orchestrator.master.cut import Cut
from orchestrator.master.items import (
    CommandItem,
    InstanceItem,
    Item,
    OnlineItem,
    PoisonItem,
    RefusedItem,
    ReportItem,
    WakeItem,
    command_of,
)
from orchestrator.master.outside import Outside

log = structlog.get_logger(__name__)

MOST_ROWS = 5000
MOST_CONFLICTS = 3
"""A batch whose guarded writes miss their rows this often in a row, each time after a reload, is a bug."""


class Loop:
    """One turn takes what waits, makes it durable in one transaction, and only then tells anybody.

    Args:
        outside: Database, streams, chance.
        crew: In-memory parts.
        leases: The slots this master owns.
    """

    def __init__(self, outside: Outside, crew: Crew, leases: Leases) -> None:
        self._outside = outside
        self._crew = crew
        self._leases = leases
        self._carry: deque[Item] = deque()
        self._backoff = Backoff(crew.silence, crew.desk.clock.monotonic, outside.chance)
        self._conflicts = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left over from the last turn."""
        return not self._carry and not len(self._crew.desk.inbox)

    def step(self, wait_s: float = 0.0) -> bool:
        """Take one turn; return whether there was anything to do.

        Args:
            wait_s: Longest wait for something to happen, in seconds.

        Raises:
            LeaseLost: Another master owns the slots: nothing in memory may be used any more.
        """
        wait = self._backoff.wait_s()
        if wait:
            self._crew.desk.inbox.rest(min(wait, wait_s))
        elif not self._carry:
            self._crew.desk.inbox.wait(self._crew.intake.wait_s(self._crew.desk.clock.monotonic, wait_s))
        if self._backoff.wait_s():
            return False
        self._crew.intake.note_ends()
        self._crew.rounds.step()
        items = self._gather()
        if items:
            self._handle(items)
        dispatched = self._crew.dispatcher.step() + self._crew.judge.step() + self._crew.lookout.step()
        self._crew.desk.inbox.relaxed = self._crew.dispatcher.is_ahead()
        return dispatched > 0 or bool(items)

    def context(self) -> Context:
        """Return what the core is told about this moment."""
        return Context(
            now=self._crew.desk.clock.now(),
            jitter=self._outside.chance(),
            new_ticket=self._outside.new_ticket,
            live_workers=self._outside.live_workers,
            inspect=self._crew.inspector,
            row_limit=self._outside.row_limit,
        )

    def _gather(self) -> list[Item]:
        if self._carry:
            # less at a time after each failure: a commit that is too big for a time limit fits one day
            most = max(len(self._carry) >> self._backoff.failures, 1)
            return [self._carry.popleft() for _ in range(most)]
        buried = self._crew.parking.heed(self._crew.desk.inbox.take_requests())
        waited = [item for number in self._crew.parking.due() for item in self._crew.parking.retry(number)]
        try:
            now = self._crew.desk.clock.monotonic()
            taken = self._crew.intake.take(self._leases.epochs, self._crew.lanes.parked, now)
        except StoreUnavailable as error:
            self._backoff.failed(error)
            self._carry.extend([*buried, *waited])
            return []
        return [*buried, *waited, *taken]

    def _handle(self, items: Sequence[Item]) -> None:
        """Decide, apply, commit, acknowledge, act."""
        context = self.context()
        batch = Batch(self._crew.lanes, context)
        try:
            crash_point("master.before_decide")
            self._load(items, context)
            left = self._decide(self._crew.wakes.filled(self._crew.standings.filled(items)), batch)
            crash_point("master.before_commit")
            asked_at = self._crew.desk.clock.monotonic()
            now = self._outside.committer.commit(batch.changes(), self._leases_of(batch.slots))
        except BaseException as error:  # noqa: BLE001  undone whatever it was; _failed raises what it must
            batch.undo()
            self._failed(items, batch, error)
            return
        if batch.touched:  # a batch that wrote nothing says nothing about guarded writes
            self._conflicts = 0
        self._crew.desk.clock.learn(now, asked_at)
        batch.settle()
        crash_point("master.after_commit")
        self._acknowledge(batch)
        crash_point("master.after_acknowledge")
        self._put_back([*self._act(batch), *left])
        self._crew.doorbell.ring(batch.addressed, {turn.workflow for turn in batch.turns})
        if batch.pool_moves:
            self._crew.intake.look_soon()  # somebody may have got a slot

    def _leases_of(self, slots: AbstractSet[int]) -> Leases:
        """Return the leases of the slots a batch speaks for; all of them where it speaks for none."""
        epochs = {slot: epoch for slot, epoch in self._leases.epochs.items() if slot in slots}
        return (
            Leases(owner=self._leases.owner, epochs=epochs) if len(epochs) == len(slots) > 0 else self._leases
        )

    def _load(self, items: Iterable[Item], context: Context) -> None:
        ids = {item.workflow_instance_id for item in items if isinstance(item, InstanceItem)}
        late = {
            (item.event.workflow_instance_id, item.event.task, item.event.attempt)
            for item in items
            if isinstance(item, ReportItem)
        }
        whole = {
            item.workflow_instance_id
            for item in items
            if isinstance(item, CommandItem) and item.command.kind in MEETS_ENDED
        }
        self._crew.lanes.load(ids - self._crew.lanes.parked.keys(), late, context, whole)
        self._crew.inspector.prepare(item for item in items if isinstance(item, InstanceItem))

    def _decide(self, items: Sequence[Item], batch: Batch) -> list[Item]:
        """Decide item after item; return what is left over because the batch is full."""
        for index, item in enumerate(items):
            if batch.rows >= MOST_ROWS:
                return list(items[index:])
            match item:
                case PoisonItem(entry, reason):
                    batch.bury(entry, reason)
                case RefusedItem():
                    batch.give_up(item)
                    batch.slots.update(self._leases.epochs)  # its slot is not known any more: check them all
                case OnlineItem():
                    for notice in self._crew.reaper.online(item):
                        self._take(notice, batch)
                    batch.answer(item.entry, "ok")
                case WakeItem(entry):
                    batch.answer(entry, "ok")
                case _:
                    self._take(item, batch)
        return []

    def _take(self, item: InstanceItem, batch: Batch) -> None:
        if item.workflow_instance_id in self._crew.lanes.parked:
            self._crew.parking.hold(item)
        else:
            batch.take(item)

    # --- after the commit --------------------------------------------------------------------

    def _acknowledge(self, batch: Batch) -> None:
        """Tell the workers. If this fails, the events are read again and change nothing (R4)."""
        try:
            for entry, reason in batch.buried:
                self._outside.graveyard.bury(entry, reason)
                log.error("event.buried", slot=entry.slot, entry=entry.id, reason=reason)
                batch.verdicts.append((entry, "buried"))
            if batch.verdicts:
                self._outside.acknowledger.acknowledge(batch.verdicts)
        except BrokerUnavailable as error:
            self._crew.silence.interrupted()
            self._outside.read_again()
            log.warning("acknowledge.failed", entries=len(batch.verdicts), error=str(error))

    def _act(self, batch: Batch) -> list[InstanceItem]:
        """Do what the committed rows ask for; return what is to be decided again, on reloaded runs."""
        crew = self._crew
        self._backoff.worked()
        crew.reaper.heard(batch.heard)
        for number, touched in batch.touched.items():
            self._carry.extend(crew.aftermath.follow(touched))
            crew.parking.worked([number])
        for number, cut in batch.cut.items():
            crew.parking.park(number, cut)
        crew.aftermath.reload(batch.ahead)
        notes.dropped(batch.dropped)
        crew.aftermath.ask_again(item for item, _ in batch.dropped)
        return [_once_reloaded(item) for ahead in batch.ahead.values() for item in ahead]

    # --- when it failed ----------------------------------------------------------------------

    def _failed(self, items: Sequence[Item], batch: Batch, error: BaseException) -> None:
        """Say what becomes of a batch that was undone. Every verdict of it is void."""
        match error:
            case StoreUnavailable():
                in_doubt = batch.touched if isinstance(error, CommitInDoubt) else ()
                self._put_back([*self._crew.aftermath.reload(in_doubt, suspect=True), *items])
                self._backoff.failed(error)
            case RevisionLost() if self._conflicts < MOST_CONFLICTS:
                self._conflicts += 1
                log.warning("revision.lost", workflow_instance_ids=error.workflow_instance_ids)
                self._put_back([*self._crew.aftermath.reload(error.workflow_instance_ids), *items])
            case CommandsGone():
                log.info("command.repeated", command_ids=error.ids)
                self._put_back([one for one in items if command_of(one) not in error.ids])
            case LeaseLost():
                raise error
            case Exception():
                self._one_by_one(items, error)
            case _:
                raise error

    def _one_by_one(self, items: Sequence[Item], error: Exception) -> None:
        """Try a batch that failed for a reason of its own lane by lane, and a lane half by half.

        The lane of the item that fails alone is parked: what a person may bury then is what fails.
        """
        lanes = by_lane(items, self._crew.reaper.online)
        if len(lanes) > 1:
            waiting: list[Item] = []
            for lane in lanes.values():
                if self._backoff.wait_s():  # the database went away meanwhile
                    waiting.extend(lane)
                else:
                    self._handle(lane)
            self._put_back(waiting)
            return
        number, lane = next(iter(lanes.items()))
        if len(lane) > 1:
            half = len(lane) // 2
            self._put_back(lane[half:])  # first: what is put back of the others stands before it
            self._handle(lane[:half])
            return
        if number is None:  # nobody's lane: it can only wait
            self._put_back(lane)
            self._backoff.failed(error)
            return
        self._crew.parking.park(number, Cut(error, [one for one in lane if isinstance(one, InstanceItem)]))

    def _put_back(self, items: Sequence[Item]) -> None:
        self._carry.extendleft(reversed(items))


def _once_reloaded(item: InstanceItem) -> InstanceItem:
    return ReportItem(item.event, item.entry, reloaded=True) if isinstance(item, ReportItem) else item
