"""Owns what the master asks of Redis and the broker: publish, recall, kill; answers come back as notices."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from threading import Condition
from typing import Any

import structlog

from orchestrator.broker.claims import RecallAnswer
from orchestrator.core.event import TaskDispatched
from orchestrator.core.notice import RecallLost, RecallWon, Unsubmittable
from orchestrator.core.order import Order
from orchestrator.crash import crash_point
from orchestrator.errors import BrokerUnavailable, UnresolvedParameter
from orchestrator.master.doubt import Doubt
from orchestrator.master.inbox import Inbox
from orchestrator.master.items import NoticeItem, ReportItem
from orchestrator.master.post import HandOver, Post

log = structlog.get_logger(__name__)


class Messenger:
    """A queue of requests that one thread carries out, in order; Redis being away only delays them.

    Args:
        post: Where requests go.
        inbox: Where answers go.
        monotonic: Seconds that never go back.
        settle_s: How long the living need to claim again what a Redis that lost its memory has forgotten.
    """

    def __init__(self, post: Post, inbox: Inbox, monotonic: Callable[[], float], settle_s: float) -> None:
        self._post = post
        self._inbox = inbox
        self._settle_s = settle_s
        self._doubt = Doubt(monotonic)
        self._changed = Condition()
        self._orders: deque[Order] = deque()
        self._held: dict[tuple[int, str], tuple[int, int]] = {}
        self._recalls: dict[str, HandOver] = {}
        self._kills: dict[str, HandOver] = {}
        self._failed: dict[int, Exception] = {}

    def publish(self, orders: Sequence[Order]) -> None:
        """Queue orders for the broker."""
        with self._changed:
            self._hold(orders)
            self._orders.extend(orders)
            self._changed.notify_all()

    def publish_again(self, orders: Sequence[Order]) -> None:
        """Queue orders that a master of before may have published, until their claims are known again."""
        with self._changed:
            self._hold(orders)
            self._doubt.orders.extend(orders)
            self._changed.notify_all()

    def withdraw(self, key: tuple[int, str], keep: tuple[int, int] | None = None) -> None:
        """Let no order for a task go out that has not yet: what it was made for is over.

        Args:
            key: Run and task.
            keep: Attempt and dispatch of the order that may still go out.
        """
        if self._held.get(key) in (None, keep):  # mostly so: not worth a lock
            return
        with self._changed:
            if self._held.get(key) != keep:
                self._held.pop(key, None)

    def recall(self, what: HandOver) -> None:
        """Queue a recall; a second one for the same hand-over is the same request."""
        with self._changed:
            self._recalls[what.id] = what
            self._changed.notify_all()

    def kill(self, what: HandOver) -> None:
        """Queue a request to kill."""
        with self._changed:
            self._kills[what.id] = what
            self._changed.notify_all()

    def clear(self) -> None:
        """Forget what was not sent yet: the slots belong to somebody else."""
        with self._changed:
            self._orders.clear()
            self._held.clear()
            self._recalls.clear()
            self._kills.clear()
            self._failed.clear()
            self._doubt.clear()

    def take_failed(self) -> dict[int, Exception]:
        """Return and remove the runs an order of which could not be published because of a bug."""
        with self._changed:
            taken, self._failed = self._failed, {}
            return taken

    def __len__(self) -> int:
        return len(self._orders) + len(self._recalls) + len(self._kills)

    def step(self, wait_s: float = 0.0) -> bool:
        """Carry out everything that is queued; return whether there was anything.

        Raises:
            BrokerUnavailable: Redis or the broker is away; what was not done stays queued.
        """
        with self._changed:
            self._changed.wait_for(lambda: len(self) > 0 or self._doubt.is_due, wait_s)
        if self._doubt.is_due:
            self._look_again()
        if not len(self):
            return False
        self._publish()
        self._recall()
        self._kill()
        return True

    def _look_again(self) -> None:
        """Ask once more about what was in doubt."""
        settled = bool(self._doubt.orders) and self._post.generation.is_settled(self._settle_s)
        with self._changed:
            orders, recalls = self._doubt.take(with_orders=settled)
            self._orders.extend(orders)
            self._recalls = {**recalls, **self._recalls}

    def _publish(self) -> None:
        orders = self._taken(500)
        while orders:
            try:
                self._bar_what_went_before(orders)
                generation = self._post.generation.current()
                sent = self._send(orders, generation)
            except BrokerUnavailable:
                with self._changed:  # some of them may be in the broker, or have run: like those of another
                    self._doubt.orders.extend(orders)
                raise
            self._let_go(orders)
            self._doubt.note(sent, generation)
            crash_point("master.after_dispatch")
            self._inbox.put_notices([_dispatched(order) for order in sent])
            orders = self._taken(500)

    def _send(self, orders: Sequence[Order], generation: str) -> Sequence[Order]:
        """Publish; one that spoils it for the others is given up alone. Return those that went out."""
        try:
            self._post.courier.publish(orders, generation)
        except BrokerUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  whose fault it is shows one by one (R7)
            if len(orders) == 1:
                self._give_up(orders[0], error)
                return ()
            return [sent for order in orders for sent in self._send([order], generation)]
        return orders

    def _give_up(self, order: Order, error: Exception) -> None:
        """End an attempt that no message can carry; what is a bug instead has its run parked by the loop."""
        log.error("order.failed", order_id=order.id, error=str(error), exc_info=error)
        if isinstance(error, UnresolvedParameter):
            self._inbox.put_notices([_unsubmittable(order, str(error))])
            return
        with self._changed:
            self._failed[order.workflow_instance_id] = error
        self._inbox.wake()

    def _bar_what_went_before(self, orders: Sequence[Order]) -> None:
        """Take the claims of earlier dispatches that ended unclaimed: no late copy of their messages may start."""
        before = [
            f"{order.workflow_instance_id}:{order.task}:{order.attempt}:{order.dispatch - 1}"
            for order in orders
            if order.dispatch > 1
        ]
        if before:
            self._post.recaller.recall(before)

    def _taken(self, most: int) -> list[Order]:
        """Return up to `most` orders, without those that were withdrawn."""
        with self._changed:
            taken = [self._orders.popleft() for _ in range(min(most, len(self._orders)))]
            return [
                order for order in taken if self._held.get(_key(order)) == (order.attempt, order.dispatch)
            ]

    def _hold(self, orders: Sequence[Order]) -> None:
        self._held.update((_key(order), (order.attempt, order.dispatch)) for order in orders)

    def _let_go(self, orders: Sequence[Order]) -> None:
        """Forget what has gone out."""
        with self._changed:
            for order in orders:
                if self._held.get(_key(order)) == (order.attempt, order.dispatch):
                    del self._held[_key(order)]

    def _recall(self) -> None:
        asked = self._snapshot(self._recalls)
        if not asked:
            return
        published = self._doubt.published_under(asked)
        answers = self._post.recaller.recall(list(asked), published=published, settle_s=self._settle_s)
        with self._changed:
            for one in asked:
                self._recalls.pop(one, None)
            self._doubt.keep(asked, answers)
        self._inbox.put_notices([_answer(asked[answer.order_id], answer) for answer in answers])

    def _kill(self) -> None:
        asked = self._snapshot(self._kills)
        by_worker: dict[str, list[str]] = {}
        for one in asked.values():
            by_worker.setdefault(one.worker or "", []).append(one.id)
        for worker, order_ids in by_worker.items():
            self._post.stopper.request(worker, order_ids, "stop")
        with self._changed:
            for order_id in asked:
                self._kills.pop(order_id, None)

    def _snapshot(self, asked: Mapping[str, HandOver]) -> dict[str, HandOver]:
        with self._changed:
            return dict(asked)


def _key(order: Order) -> tuple[int, str]:
    return (order.workflow_instance_id, order.task)


def _dispatched(order: Order) -> ReportItem:
    return ReportItem(
        TaskDispatched(
            workflow_instance_id=order.workflow_instance_id,
            task=order.task,
            attempt=order.attempt,
            dispatch=order.dispatch,
            ticket=order.ticket,
        )
    )


def _unsubmittable(order: Order, reason: str) -> NoticeItem:
    return NoticeItem(
        Unsubmittable(
            workflow_instance_id=order.workflow_instance_id,
            task=order.task,
            attempt=order.attempt,
            dispatch=order.dispatch,
            reason=reason,
        )
    )


def _answer(what: HandOver, answer: RecallAnswer) -> NoticeItem:
    token: dict[str, Any] = {
        "workflow_instance_id": what.workflow_instance_id,
        "task": what.task,
        "attempt": what.attempt,
        "dispatch": what.dispatch,
    }
    if answer.won:
        return NoticeItem(RecallWon(**token, unserved=what.unserved))
    worker, _, incarnation = (answer.holder or "").partition("|")
    return NoticeItem(RecallLost(**token, worker=worker, incarnation=incarnation))
