"""Owns what tests of an attached application ask of its worker."""

from pathlib import Path
from typing import Any

from orchestrator.core.event import TaskDelayed, TaskResult, TaskRunning
from orchestrator.core.order import Order
from orchestrator.worker.logs import read_log
from tests.integration.worker.stage import Stage


def order_of(stage: Stage, call: str, **fields: Any) -> Order:
    """Return a new order for a registered task."""
    spec: dict[str, Any] = {name: fields.pop(name) for name in ("args", "kwargs") if name in fields}
    return stage.order("celery", {"call": call, **spec}, **{"queue": "shop", **fields})


def run(stage: Stage, call: str, **fields: Any) -> TaskResult:
    """Publish an order for a registered task and return its RESULT."""
    order = order_of(stage, call, **fields)
    stage.publish(order)
    return stage.result(order)


def running(stage: Stage, call: str) -> Order:
    """Return an order whose attempt runs."""
    order = order_of(stage, call)
    stage.publish(order)
    stage.event(order, TaskRunning)
    return order


def deferral(stage: Stage, order: Order) -> TaskDelayed:
    """Publish an order if nothing is known of it, and return its DELAY."""
    if not stage.about(order):
        stage.publish(order)
    return stage.event(order, TaskDelayed)


def after(order: Order, delay: TaskDelayed) -> Order:
    """Return the next hand-over of the same attempt, as the master makes it."""
    fields = {name: getattr(order, name) for name in order.__dataclass_fields__}
    return Order(**{**fields, "dispatch": order.dispatch + 1, "external_ids": delay.external_ids})


def log_of(result: TaskResult) -> list[str]:
    """Return the lines of an attempt's log."""
    return [one.text for one in read_log(Path(result.log_path or ""))]


def worker_output(stage: Stage) -> str:
    """Return what the worker wrote."""
    return (stage.home / "w1@test.out").read_text(errors="replace")
