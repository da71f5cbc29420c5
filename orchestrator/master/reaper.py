"""Owns the judgement of losses: which owned attempts have no living owner, and what a new generation undoes."""

from collections.abc import Iterable
from datetime import timedelta

from orchestrator.core.notice import AttemptLost
from orchestrator.core.run import WorkflowInstance
from orchestrator.core.status import TASK_HANDED_OVER, TaskState
from orchestrator.master.effects import Desk, hand_over_of
from orchestrator.master.items import NoticeItem
from orchestrator.master.lanes import Lanes
from orchestrator.master.membership import Membership
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

    def step(self) -> int:
        """Look at everything that is owned; return how many attempts were found lost."""
        now = self._desk.clock.monotonic()
        self._after_new_generation(now)
        lost = 0
        for incarnation in self._desk.holdings.incarnations():
            keys = self._desk.holdings.owned_by(incarnation)
            if self._membership.is_silent(incarnation):
                lost += self._accuse(
                    keys, incarnation, "its worker is silent", self._silent_since(incarnation)
                )
            else:
                forgotten = [key for key in keys if self._is_forgotten(key, incarnation)]
                looked_at = self._membership.snapshot.at
                lost += self._accuse(forgotten, incarnation, "its worker no longer knows it", looked_at)
        return lost

    def online(self, slot: int, worker: str, incarnation: str) -> list[NoticeItem]:
        """Return the losses that a worker's new incarnation means in one slot."""
        notices = []
        for instance in self._lanes.all():
            if instance.head.slot != slot:
                continue
            for task in instance.in_state(*_WITH_A_WORKER):
                attempt = instance.attempts[task]
                if attempt.worker == worker and attempt.incarnation not in (None, incarnation):
                    notices.append(_lost((instance.head.id, task), instance, "its worker was restarted"))
        return notices

    def _silent_since(self, incarnation: str) -> float:
        seen = self._membership.snapshot.last_seen.get(incarnation, float("-inf"))
        return seen + self._lost_s

    def _is_forgotten(self, key: Key, incarnation: str) -> bool:
        """Whether a living owner does not list an attempt that it has had for longer than the loss limit."""
        instance = self._lanes.get(key[0])
        attempt = instance.attempts.get(key[1]) if instance else None
        if attempt is None:
            return False
        since = attempt.started_at or attempt.dispatched_at
        if since is None or (self._desk.clock.now() - since).total_seconds() < 2 * self._lost_s:
            return False
        return hand_over_of(attempt).id not in self._membership.snapshot.listed.get(incarnation, frozenset())

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
