"""Owns Celery's time limits on our orders: the worker's and its tasks'; our enforcer carries out the hard ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CELERY_TYPE = "celery"

Limits = tuple[float | None, float | None]
"""Hard and soft limit in seconds, as Celery orders them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimits:
    """How long an order may take on this worker by Celery's rules.

    A hard limit of Celery's pool would kill the child under the attempt, and nobody would report. So the worker's
    enforcer ends the attempt when it is due, as it ends a timeout, and the pool's own limit comes well behind.

    Attributes:
        tasks: The application's registered tasks.
        hard_s: The worker's limit for every task (`task_time_limit`, `--time-limit`).
        soft_s: The worker's soft limit for every task.
        margin_s: How long after the enforcer the pool may act.
    """

    tasks: Mapping[str, Any] = field(default_factory=dict)
    hard_s: float | None = None
    soft_s: float | None = None
    margin_s: float = 60.0

    def hard_s_of(self, task_type: str, spec: Mapping[str, Any]) -> float | None:
        """Return after how many seconds an order of this type has to end, or `None`."""
        return self._own(task_type, spec)[0] or self.hard_s

    def of_pool(self, task_type: str, spec: Mapping[str, Any]) -> Limits:
        """Return the limits that Celery's pool shall carry out for an order."""
        hard = self.hard_s_of(task_type, spec)
        return (hard + self.margin_s if hard else None, self._own(task_type, spec)[1] or self.soft_s)

    def of_message(self, message: Mapping[str, Any]) -> Limits:
        """Return `of_pool` for the order of a message; of one that cannot be read, none."""
        order = message.get("order")
        if not isinstance(order, Mapping) or not isinstance(order.get("spec"), Mapping):
            return (None, None)
        return self.of_pool(str(order.get("type")), order["spec"])

    @property
    def are_any(self) -> bool:
        """Whether any order could have a limit at all."""
        every = (self.hard_s, self.soft_s)
        return any(every) or any(any(_limits(one)) for one in self.tasks.values())

    def _own(self, task_type: str, spec: Mapping[str, Any]) -> Limits:
        task = self.tasks.get(str(spec.get("call"))) if task_type == CELERY_TYPE else None
        return _limits(task) if task is not None else (None, None)


def _limits(task: Any) -> Limits:
    return (getattr(task, "time_limit", None), getattr(task, "soft_time_limit", None))
