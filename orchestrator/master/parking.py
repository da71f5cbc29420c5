"""Owns what happens to a lane that fails: it is parked, tried again with back-off, or its event is buried."""

from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from orchestrator.broker.stream import Entry
from orchestrator.core.family import answer_to_buried
from orchestrator.core.notice import Continue
from orchestrator.core.retry import backoff_s
from orchestrator.errors import BrokerUnavailable
from orchestrator.master import alerts
from orchestrator.master.alerts import Bulletin
from orchestrator.master.cut import Cut
from orchestrator.master.effects import Effects
from orchestrator.master.inbox import Inbox
from orchestrator.master.items import (
    CommandItem,
    InstanceItem,
    Item,
    NoticeItem,
    PoisonItem,
    RefusedItem,
    ReportItem,
)
from orchestrator.master.lanes import Lanes, Parked
from orchestrator.master.reader import item_of
from orchestrator.master.request import Request, Wish

log = structlog.get_logger(__name__)

FIRST_S = 0.5
CAP_S = 300.0
ALERT_AFTER = 5


class EntrySource(Protocol):
    """The streams, by entry id."""

    def fetch(self, slot: int, ids: Sequence[str]) -> Sequence[Entry]:
        """Return the entries that still stand in the stream, in the order of `ids`."""
        ...


class Parking:
    """Keeps failing lanes out of the way of the others (R7).

    Args:
        lanes: The lanes.
        effects: Forgets and re-arms their runs.
        entries: Where the entries of a parked lane are read again.
        inbox: Where they go for the next try.
        bulletin: Where alerts go.
        monotonic: Seconds that never go back.
        chance: Random numbers in [0, 1).
    """

    def __init__(  # noqa: PLR0913  it stands between all of them
        self,
        lanes: Lanes,
        effects: Effects,
        entries: EntrySource,
        inbox: Inbox,
        bulletin: Bulletin,
        monotonic: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self._lanes = lanes
        self._effects = effects
        self._entries = entries
        self._inbox = inbox
        self._bulletin = bulletin
        self._monotonic = monotonic
        self._chance = chance
        self._tries: dict[int, int] = {}
        self._since: dict[int, float] = {}

    def park(self, workflow_instance_id: int, cut: Cut) -> None:
        """Park a lane with the items that were cut off; only the ids of their entries are kept."""
        tries = self._tries.get(workflow_instance_id, 0) + 1
        self._tries[workflow_instance_id] = tries
        now = self._monotonic()
        parked = Parked(
            error=f"{type(cut.error).__name__}: {cut.error}",
            since=self._since.setdefault(workflow_instance_id, now),
            tries=tries,
            retry_at=now + backoff_s(tries - 1, self._chance(), first=FIRST_S, cap=CAP_S),
        )
        _blame(parked, cut.items[:1])
        self._lanes.parked[workflow_instance_id] = parked
        for item in cut.items:
            self.hold(item)
        if tries >= ALERT_AFTER:
            self._alert(workflow_instance_id, parked)
        instance = self._lanes.get(workflow_instance_id)
        if instance is not None:
            self._effects.forget(instance)
        self._lanes.evict([workflow_instance_id])
        report = log.error if tries in (1, ALERT_AFTER) else log.warning
        report(
            "lane.parked",
            workflow_instance_id=workflow_instance_id,
            tries=tries,
            alert=tries >= ALERT_AFTER,
            exc_info=cut.error,
        )

    def _alert(self, workflow_instance_id: int, parked: Parked) -> None:
        """Tell people, at every try: the key makes it one alert, and none is missing when a write of it failed."""
        standing = self._lanes.standing(workflow_instance_id)
        if standing is not None:
            slot, revision = standing
            self._bulletin.add(
                alerts.parked(workflow_instance_id, slot, revision, error=parked.error, tries=parked.tries)
            )

    def hold(self, item: InstanceItem) -> None:
        """Keep the entry id of an item for a parked lane; commands stay rows, notices come from rows again."""
        parked = self._lanes.parked[item.workflow_instance_id]
        if isinstance(item, ReportItem) and item.entry is not None:
            place = (item.entry.slot, item.entry.id)
            if place not in parked.entries:
                parked.entries.append(place)

    def due(self) -> list[int]:
        """Return the lanes whose next try is due."""
        now = self._monotonic()
        return [number for number, parked in self._lanes.parked.items() if parked.retry_at <= now]

    def retry(self, workflow_instance_id: int) -> list[Item]:
        """Unpark a lane and return the items that waited for it, for this turn."""
        parked = self._lanes.parked[workflow_instance_id]
        try:
            entries = self._fetch(parked)
        except BrokerUnavailable:
            parked.retry_at = self._monotonic() + FIRST_S
            return []
        del self._lanes.parked[workflow_instance_id]
        again = NoticeItem(Continue(workflow_instance_id=workflow_instance_id))  # loads and arms the run
        return [*(item_of(entry) for entry in entries), again]

    def heed(self, requests: Sequence[Request]) -> list[PoisonItem | RefusedItem]:
        """Do what people ask about parked lanes: try again now, after burying what failed if so wished."""
        buried: list[PoisonItem | RefusedItem] = []
        for request in requests:
            parked = self._lanes.parked.get(request.workflow_instance_id)
            if parked is None:
                continue
            parked.retry_at = self._monotonic()
            log.info("lane.asked", workflow_instance_id=request.workflow_instance_id, wish=request.wish.value)
            if request.wish is Wish.BURY:
                buried.extend(self._bury(parked))
        return buried

    def worked(self, workflow_instance_ids: Sequence[int]) -> None:
        """Note that these lanes committed: their count of tries begins again."""
        if self._tries:
            for number in workflow_instance_ids:
                self._since.pop(number, None)
                if self._tries.pop(number, None):
                    log.info("lane.recovered", workflow_instance_id=number)

    def _bury(self, parked: Parked) -> Sequence[PoisonItem | RefusedItem]:
        """Give up what made the lane fail; what comes from the rows again, like a timer, cannot be given up."""
        if parked.command_id is None:
            return self._bury_entry(parked)
        parked.retry_at += FIRST_S  # by then its row has moved
        return [RefusedItem(parked.command_id, parked.burial, parked.answer)]

    def _bury_entry(self, parked: Parked) -> list[PoisonItem]:
        """Take the entry that failed out of a parked lane, to be buried in the next commit."""
        place = parked.entry
        if place is None or place not in parked.entries:
            return []
        slot, number = place
        try:
            entries = self._entries.fetch(slot, [number])
        except BrokerUnavailable:
            return []
        parked.entries.remove(place)
        return [PoisonItem(entry, parked.burial) for entry in entries]

    def _fetch(self, parked: Parked) -> list[Entry]:
        found: list[Entry] = []
        for slot in {slot for slot, _ in parked.entries}:
            found.extend(self._entries.fetch(slot, [one for place, one in parked.entries if place == slot]))
        return found


def _blame(parked: Parked, first: Sequence[InstanceItem]) -> None:
    """Note what made the lane fail, so far as a person can give it up."""
    match first:
        case [CommandItem(command)]:
            parked.command_id = command.id
            parked.answer = answer_to_buried(command, parked.burial)
        case [ReportItem(entry=Entry() as entry)]:
            parked.entry = (entry.slot, entry.id)
