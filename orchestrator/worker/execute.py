"""Owns the Celery task `orchestrator.execute`: one order, carried out by the runner of the pool's process."""

from typing import Any

from celery import Task

from orchestrator.worker.losses import Losses
from orchestrator.worker.revocations import Revocations
from orchestrator.worker.runner import Runner
from orchestrator.worker.time_limits import TimeLimits

NAME = "orchestrator.execute"


class ExecuteTask(Task):  # type: ignore[misc, type-arg, unused-ignore]  # Celery's class is untyped
    """Carries out one order.

    Attributes:
        runner: Set in every process of the pool when it starts.
        losses: Set in the main process when it starts.
        revocations: The same.
        limits: The same; children that are forks of it have it too.
    """

    name = NAME
    Request = "orchestrator.worker.request:OrderRequest"
    Strategy = "orchestrator.worker.task_events:order_strategy"
    acks_late = True
    reject_on_worker_lost = True
    ignore_result = True
    store_errors_even_if_ignored = False
    max_retries = 0
    track_started = False
    rate_limit = None
    runner: Runner | None = None
    losses: Losses | None = None
    revocations: Revocations | None = None
    limits: TimeLimits | None = None

    def run(self, **message: Any) -> None:
        """Carry out the order of `order_to_message`."""
        if self.runner is None:
            raise RuntimeError("orchestrator.execute runs in a Celery worker only")
        self.runner.run(message)
