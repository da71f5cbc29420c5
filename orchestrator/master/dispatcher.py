"""Owns the hand-over: it fills each group's window from the ready queue, by priority, with resolved orders."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Protocol

from orchestrator.core.inputs import resolve_inputs
from orchestrator.core.instance import TaskInstance
from orchestrator.core.notice import Unsubmittable, about
from orchestrator.core.order import Order
from orchestrator.errors import StoreUnavailable, UnresolvedParameter
from orchestrator.master.cached import Cached
from orchestrator.master.cut import Cut, Park
from orchestrator.master.desk import Desk
from orchestrator.master.effects import Effects
from orchestrator.master.items import NoticeItem
from orchestrator.master.respite import Respite
from orchestrator.master.supplies import Candidate, Supplies, Values
from orchestrator.master.window import Window


class WillingWorkers(Protocol):
    """Knows who takes something new."""

    def willing_workers(self, group: str) -> frozenset[str]:
        """Return the names of the live workers of `group` that are not draining."""
        ...


class Dispatcher:
    """Runs in the loop's thread: it reads runs, and hands finished orders to the messenger.

    Args:
        desk: Ready queue, holdings, messenger, inbox, clock.
        supplies: What inputs are made of.
        cached: Knows what need not be handed over.
        effects: Told of each hand-over.
        window: How much the broker may hold.
        workers: Where an attempt that was given back can go.
        park: Takes a run out of the way whose order cannot be made because of a bug.
    """

    def __init__(  # noqa: PLR0913  the hand-over's surroundings
        self,
        desk: Desk,
        supplies: Supplies,
        cached: Cached,
        effects: Effects,
        window: Window,
        workers: WillingWorkers,
        park: Park,
    ) -> None:
        self._desk = desk
        self._supplies = supplies
        self._cached = cached
        self._effects = effects
        self._window = window
        self._workers = workers
        self._park = park
        self._turns = count()
        self._respite = Respite(supplies.is_here, effects.enact, desk.clock.monotonic)

    def step(self) -> int:
        """Hand over what fits into the windows; return how many orders went out."""
        for number, error in self._desk.messenger.take_failed().items():
            self._park(number, Cut(error, []))
        if self._respite.lasts:
            return 0
        candidates: list[Candidate] = []
        for group in self._desk.ready.groups():
            room = self._window.size(group) - self._desk.holdings.in_broker(group)
            if room > 0:
                candidates.extend(self._supplies.candidates(self._desk.ready.take(group, room)))
        orders, again = self._orders(candidates)
        if orders:
            self._desk.messenger.publish(orders)
        if again:
            self._desk.messenger.publish_again(again)
        return len(orders) + len(again)

    def is_ahead(self) -> bool:
        """Return whether work waits, and every group in which it waits has plenty in the broker already."""
        groups = self._desk.ready.waiting()
        return bool(groups) and all(
            self._desk.holdings.in_broker(group) > self._window.size(group) / 2 for group in groups
        )

    def _orders(self, candidates: Sequence[Candidate]) -> tuple[list[Order], list[Order]]:
        """Return new orders, and those that may have been published before."""
        try:
            values = self._supplies.values(candidates)
            going = self._cached.look(candidates, values)
        except StoreUnavailable as error:
            self._respite.begin(candidates, error)
            return [], []
        orders: list[Order] = []
        again: list[Order] = []
        for one in going:
            if not self._supplies.is_here(one):
                continue
            try:
                (again if self._effects.is_inherited(one.key) else orders).append(self._order(one, values))
            except UnresolvedParameter as error:
                self._desk.inbox.put_notices(
                    [NoticeItem(about(one.attempt, Unsubmittable, reason=str(error)))]
                )
                continue
            except Exception as error:  # noqa: BLE001  a bug in one run must not stop the others (R7)
                self._park(one.number, Cut(error, []))
                continue
            self._desk.holdings.hand_over(one.key, one.group, one.attempt.token)
            self._effects.handed(one.key)
        return orders, again

    def _order(self, candidate: Candidate, values: Values) -> Order:
        instance, attempt = candidate.instance, candidate.attempt
        head, definition = instance.head, instance.definition
        task = instance.graph.tasks[attempt.task]
        around = replace(self._supplies.surroundings(candidate, values), secret_ticket=attempt.ticket)
        inputs = resolve_inputs(task, around)
        return Order(
            workflow_instance_id=head.id,
            workflow=head.workflow,
            task=attempt.task,
            attempt=attempt.attempt,
            dispatch=attempt.dispatch,
            ticket=attempt.ticket,
            type=task.type,
            spec=inputs.spec,
            params=inputs.params,
            parameters=inputs.parameters,
            outputs=task.outputs,
            timeout_s=self._time_left(task.timeout_s, attempt),
            on_timeout=task.on_timeout,
            queue=self._queue(attempt, candidate.group),
            priority=head.priority.rank * 5 + task.priority.rank,
            run_count=head.run_count,
            idempotency_key=f"{head.id}:{attempt.task}:{head.run_count}",
            source_dir=definition.source_dir,
            bundle=task.bundle,
            external_ids=attempt.external_ids,
            dispatched_at=self._desk.clock.now(),
        )

    def _time_left(self, timeout_s: float | None, attempt: TaskInstance) -> float | None:
        """Return what is left of the attempt's time: it counts from its first RUNNING, deferrals included."""
        if timeout_s is None or attempt.started_at is None:
            return timeout_s
        spent = (self._desk.clock.now() - attempt.started_at).total_seconds()
        return max(timeout_s - spent, 0.001)

    def _queue(self, attempt: TaskInstance, group: str) -> str:
        """Return the group's queue, or after a reject the own queue of a worker that has not given it back.

        They take turns: what one worker gives back, many attempts at a time, must not all go to one other.
        """
        if not attempt.rejected_by:
            return group
        refused = {line.partition(" ")[0] for line in attempt.rejected_by}
        others = sorted(self._workers.willing_workers(group) - refused)
        return f"{others[next(self._turns) % len(others)]}.dq2" if others else group
