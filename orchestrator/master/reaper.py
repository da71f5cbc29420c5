"""Owns the judgement of losses: which owned attempts have no living owner, and what a new generation undoes."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

from orchestrator.broker.stream import Entry
from orchestrator.core.notice import AttemptLost
from orchestrator.core.run import WorkflowInstance
from orchestrator.core.status import TASK_HANDED_OVER, TaskState
from orchestrator.master.desk import Desk
from orchestrator.master.holdings import Token
from orchestrator.master.items import NoticeItem, OnlineItem
from orchestrator.master.lanes import Lanes
from orchestrator.master.membership import Membership
from orchestrator.master.post import HandOver, hand_over_of, named
from orchestrator.master.ready import Key
from orchestrator.master.silence import Silence


class Reaper:
    """Runs in the loop's thread, once per heartbeat interval.

    Args:
        desk: Holdings, inbox, messenger, clock.
        lanes: The runs in memory.
        membership: What is known of the workers.
        silence: Whether silence may be held against somebody.
        lost_s: When a silent worker is lost, in seconds.
        settle_s: After a new generation, how long living workers may take to show what they hold.
    """

    def __init__(
        self,
        desk: Desk,
        lanes: Lanes,
        membership: Membership,
        silence: Silence,
        *,
        lost_s: float,
        settle_s: float,
    ) -> None:
        self._desk = desk
        self._lanes = lanes
        self._membership = membership
        self._silence = silence
        self._lost_s = lost_s
        self._settle_s = settle_s
        self._seen_generation: float | None = None
        self._gone: dict[str, float] = {}
        self._heard: dict[str, float] = {}
        self._missing: dict[tuple[Key, Token], float] = {}
        self._disowned: frozenset[str] = frozenset()

    def heard(self, incarnations: Iterable[str]) -> None:
        """Note who has just begun something: the last look at heartbeats may have been before they came back."""
        now = self._desk.clock.monotonic()
        self._heard.update((one, now) for one in incarnations)

    def step(self) -> int:
        """Look at everything that is owned; return how many attempts were found lost."""
        now = self._desk.clock.monotonic()
        self._heard = {one: at for one, at in self._heard.items() if now - at < self._lost_s}
        self._after_new_generation(now)
        self._end_disowned()
        gone, missing = self._gone, self._missing
        self._gone, self._missing = {}, {}
        lost = 0
        for incarnation in self._desk.holdings.incarnations():
            keys = self._desk.holdings.owned_by(incarnation)
            if self._membership.is_silent(incarnation):
                if incarnation in self._heard:
                    continue
                due = self._silent_since(incarnation, gone.get(incarnation, now))
                lost += self._accuse(keys, incarnation, "its worker is silent", due)
            else:
                forgotten = [key for key in keys if self._is_forgotten(key, incarnation, missing, now)]
                due = now - self._lost_s  # they have been missing for longer
                lost += self._accuse(forgotten, incarnation, "its worker no longer knows it", due)
        return lost

    def online(self, item: OnlineItem) -> list[NoticeItem]:
        """Return the losses that a worker's new incarnation means in the slot in which it said so.

        A repeated one may be older than what its worker now runs: nothing. Nor is anybody meant who gave a sign
        of life after it was written: it came back with an older copy of Redis' data.
        """
        if item.repeated:
            return []
        worker, incarnation, slot = item.event.worker, item.event.incarnation, item.entry.slot
        notices = []
        for instance in self._lanes.all():
            if instance.head.slot != slot:
                continue
            for task in instance.in_state(*_WITH_A_WORKER):
                attempt = instance.attempts[task]
                if attempt.worker != worker or attempt.incarnation in (None, incarnation):
                    continue
                if not self._membership.was_heard_after(attempt.incarnation, _written_ms(item.entry)):
                    notices.append(_lost((instance.head.id, task), instance, "its worker was restarted"))
        return notices

    def _silent_since(self, incarnation: str, gone_since: float) -> float:
        """Return when the silence became a loss; of one that signed off: when that was noticed."""
        seen = self._membership.snapshot.last_seen.get(incarnation)
        if seen is not None:
            return seen + self._lost_s
        self._gone[incarnation] = gone_since
        return gone_since

    def _is_forgotten(
        self, key: Key, incarnation: str, missing: Mapping[tuple[Key, Token], float], now: float
    ) -> bool:
        """Whether a living owner has not listed a hand-over for twice the loss limit."""
        instance = self._lanes.get(key[0])
        attempt = instance.attempts.get(key[1]) if instance else None
        if attempt is None:
            return False
        if hand_over_of(attempt).id in self._membership.snapshot.listed.get(incarnation, frozenset()):
            return False
        since = self._missing[key, attempt.token] = missing.get((key, attempt.token), now)
        return now - since >= 2 * self._lost_s

    def _end_disowned(self) -> None:
        """Have hand-overs ended that living workers still list although they are over: zombies came back.

        Listed for two looks in a row: the verdict on the end of the others is on its way.
        """
        snapshot = self._membership.snapshot
        found: dict[str, HandOver] = {}
        for incarnation, order_ids in snapshot.listed.items():
            for order_id in order_ids:
                what = named(order_id, snapshot.names.get(incarnation))
                if what is not None and self._is_over(what):
                    found[order_id] = what
        for order_id in found.keys() & self._disowned:
            self._desk.messenger.kill(found[order_id])
        self._disowned = frozenset(found)

    def _is_over(self, what: HandOver) -> bool:
        instance = self._lanes.get(what.workflow_instance_id)
        attempt = instance.attempts.get(what.task) if instance else None
        return attempt is not None and (what.attempt, what.dispatch) < attempt.token

    def _accuse(self, keys: Iterable[Key], incarnation: str, reason: str, due: float) -> int:
        notices = []
        for key in keys:
            instance = self._lanes.get(key[0])
            if instance is None or key[1] not in instance.attempts:
                continue
            is_owner = instance.attempts[key[1]].incarnation == incarnation
            if is_owner and self._silence.may_accuse(instance.head.slot, due, self._lost_s):
                notices.append(_lost(key, instance, reason))
        self._desk.inbox.put_notices(notices)
        return len(notices)

    def _after_new_generation(self, now: float) -> None:
        """Recall what the broker was given before Redis lost its memory and no living worker lists."""
        changed = self._membership.generation_changed_at
        if changed is None or changed == self._seen_generation or now - changed < self._settle_s:
            return
        self._seen_generation = changed
        since = self._desk.clock.now() - timedelta(seconds=now - changed)
        listed = frozenset().union(*self._membership.snapshot.listed.values())
        for key in self._desk.holdings.all_in_broker():
            instance = self._lanes.get(key[0])
            attempt = instance.attempts.get(key[1]) if instance else None
            if attempt is None or (attempt.dispatched_at is not None and attempt.dispatched_at > since):
                continue
            if hand_over_of(attempt).id not in listed:
                self._desk.messenger.recall(hand_over_of(attempt))


_WITH_A_WORKER = (*TASK_HANDED_OVER, TaskState.RUNNING)


def _written_ms(entry: Entry) -> int:
    """Return when an entry was added, in milliseconds of Redis' time: its id begins with that."""
    return int(entry.id.partition("-")[0])


def _lost(key: Key, instance: WorkflowInstance, reason: str) -> NoticeItem:
    attempt = instance.attempts[key[1]]
    return NoticeItem(
        AttemptLost(
            workflow_instance_id=key[0],
            task=key[1],
            attempt=attempt.attempt,
            dispatch=attempt.dispatch,
            incarnation=attempt.incarnation,
            reason=reason,
        )
    )
