"""Owns how an application's workers become ours: the task, the service beside Celery, and the pool's children."""

from collections.abc import Callable
from typing import Any

from celery import Celery, signals

from orchestrator.config import Settings
from orchestrator.core.worker_name import check_worker_name
from orchestrator.worker.bootstep import WorkerService
from orchestrator.worker.broken_connection import BrokenConnection
from orchestrator.worker.entry import check_redis
from orchestrator.worker.execute import NAME, ExecuteTask
from orchestrator.worker.main_process import MainProcess
from orchestrator.worker.pool_process import child_runner, configure
from orchestrator.worker.service import Service
from orchestrator.worker.task_events import LastEvents


def install(app: Celery, settings: Settings, *, orders: Celery | None = None) -> None:
    """Give a Celery app the task `orchestrator.execute` and what must run beside it in its workers.

    Args:
        app: The app of `celery -A orchestrator`, or another one.
        settings: The worker's settings.
        orders: The app whose broker the masters publish to, if it is not that of `app`.
    """
    if NAME in app.tasks:
        return
    task = app.register_task(ExecuteTask())
    steps = app.steps["worker"]
    factory = _factory(task, settings, orders)
    steps.add(type("OrchestratorService", (WorkerService,), {"factory": staticmethod(factory)}))
    app.steps["consumer"].update((BrokenConnection, LastEvents))

    def open_child(sender: str, **_: Any) -> None:
        task.runner = child_runner(task, settings, sender)

    signals.worker_process_init.connect(open_child, weak=False)


def _factory(task: ExecuteTask, settings: Settings, orders: Celery | None) -> Callable[[Any], Service]:
    def make(worker: Any) -> Service:
        check_worker_name(worker.hostname)
        check_redis(settings)
        configure(settings)
        return MainProcess(settings, worker, orders).service(task)

    return make
