"""Owns the hand-over: it fills each group's window from the ready queue, by priority, with resolved orders."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from orchestrator.core.inputs import Surroundings, resolve_inputs, wanted_outputs
from orchestrator.core.instance import TaskInstance
from orchestrator.core.notice import Unsubmittable
from orchestrator.core.order import Order
from orchestrator.core.outputs import OutputIndex
from orchestrator.core.run import WorkflowInstance
from orchestrator.core.status import TaskState
from orchestrator.errors import UnresolvedParameter
from orchestrator.master.batch import Cut, Park
from orchestrator.master.effects import Desk, Effects
from orchestrator.master.items import NoticeItem
from orchestrator.master.lanes import Lanes
from orchestrator.master.ready import Key
from orchestrator.master.window import Window


class LiveWorkers(Protocol):
    """Knows which workers serve a group."""

    def live_workers(self, group: str) -> frozenset[str]:
        """Return the names of the live workers of `group`."""
        ...


class Dispatcher:
    """Runs in the loop's thread: it reads runs, and hands finished orders to the messenger.

    Args:
        desk: Ready queue, holdings, messenger, inbox, clock.
        lanes: The runs in memory.
        effects: Told of each hand-over.
        window: How much the broker may hold.
        workers: Where an attempt that was given back can go.
        park: Takes a run out of the way whose order cannot be made because of a bug.
    """

    def __init__(
        self,
        desk: Desk,
        lanes: Lanes,
        effects: Effects,
        window: Window,
        workers: LiveWorkers,
        park: Park,
    ) -> None:
        self._desk = desk
        self._lanes = lanes
        self._effects = effects
        self._window = window
        self._workers = workers
        self._park = park
        self._indexes: dict[int, OutputIndex] = {}

    def step(self) -> int:
        """Hand over what fits into the windows; return how many orders went out."""
        orders: list[Order] = []
        for group in self._desk.ready.groups():
            room = self._window.size(group) - self._desk.holdings.in_broker(group)
            if room > 0:
                orders.extend(self._orders(self._desk.ready.take(group, room), group))
        if orders:
            self._desk.messenger.publish(orders)
        return len(orders)

    def is_ahead(self) -> bool:
        """Return whether work waits, and every group in which it waits has plenty in the broker already."""
        groups = self._desk.ready.waiting()
        return bool(groups) and all(
            self._desk.holdings.in_broker(group) > self._window.size(group) / 2 for group in groups
        )

    def forget(self, workflow_instance_id: int) -> None:
        """Forget what is remembered about a run's outputs."""
        self._indexes.pop(workflow_instance_id, None)

    def _orders(self, keys: Iterable[Key], group: str) -> list[Order]:
        orders = []
        for key in keys:
            instance = self._lanes.get(key[0])
            attempt = instance.attempts.get(key[1]) if instance else None
            if instance is None or attempt is None or attempt.state is not TaskState.SUBMITTED:
                continue
            try:
                orders.append(self._order(instance, attempt, group))
            except UnresolvedParameter as error:
                self._desk.inbox.put_notices([_unsubmittable(attempt, str(error))])
                continue
            except Exception as error:  # noqa: BLE001  a bug in one run must not stop the others (R7)
                self._park(key[0], Cut(error, []))
                continue
            self._desk.holdings.hand_over(key, group, attempt.token)
            self._effects.handed(key)
        return orders

    def _order(self, instance: WorkflowInstance, attempt: TaskInstance, group: str) -> Order:
        head, definition = instance.head, instance.definition
        task = instance.graph.tasks[attempt.task]
        latest = self._latest(instance, attempt.task)
        around = Surroundings(
            definition=definition,
            head=head,
            attempt=attempt,
            latest=latest,
            outputs=_outputs(instance, wanted_outputs(task, latest)),
        )
        inputs = resolve_inputs(task, around)
        return Order(
            workflow_instance_id=head.id,
            workflow=head.workflow,
            task=attempt.task,
            attempt=attempt.attempt,
            dispatch=attempt.dispatch,
            ticket=attempt.ticket,
            type=task.type,
            spec=task.spec,
            params=inputs.params,
            parameters=inputs.parameters,
            outputs=task.outputs,
            timeout_s=self._time_left(task.timeout_s, attempt),
            on_timeout=task.on_timeout,
            queue=self._queue(attempt, group),
            priority=head.priority.rank * 5 + task.priority.rank,
            run_count=head.run_count,
            idempotency_key=f"{head.id}:{attempt.task}:{head.run_count}",
            source_dir=definition.source_dir,
        )

    def _latest(self, instance: WorkflowInstance, task: str) -> Mapping[str, str]:
        if not instance.graph.upstream[task]:
            return {}
        index = self._indexes.get(instance.head.id)
        if index is None:
            index = self._indexes[instance.head.id] = OutputIndex(instance.graph)
        return index.sources(task, instance.attempts)

    def _time_left(self, timeout_s: float | None, attempt: TaskInstance) -> float | None:
        """Return what is left of the attempt's time: it counts from its first RUNNING, deferrals included."""
        if timeout_s is None or attempt.started_at is None:
            return timeout_s
        spent = (self._desk.clock.now() - attempt.started_at).total_seconds()
        return max(timeout_s - spent, 0.001)

    def _queue(self, attempt: TaskInstance, group: str) -> str:
        """Return the group's queue, or after a reject the own queue of a worker that has not given it back."""
        if not attempt.rejected_by:
            return group
        refused = {line.partition(" ")[0] for line in attempt.rejected_by}
        others = sorted(self._workers.live_workers(group) - refused)
        return f"{others[0]}.dq2" if others else group


def _outputs(instance: WorkflowInstance, tasks: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    found = {}
    for task in tasks:
        attempt = instance.attempts.get(task)
        if attempt is not None and attempt.state in (TaskState.SUCCESS, TaskState.FORCED_SUCCESS):
            found[task] = attempt.outputs
    return found


def _unsubmittable(attempt: TaskInstance, reason: str) -> NoticeItem:
    return NoticeItem(
        Unsubmittable(
            workflow_instance_id=attempt.workflow_instance_id,
            task=attempt.task,
            attempt=attempt.attempt,
            dispatch=attempt.dispatch,
            reason=reason,
        )
    )
