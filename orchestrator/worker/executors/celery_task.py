"""Owns the task type `celery`: a task that the worker's own Celery application has registered."""

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from difflib import get_close_matches
from typing import Any
from uuid import UUID

from celery import Celery
from celery.exceptions import NotRegistered

from orchestrator.core.deferral import Defer
from orchestrator.core.order import Order
from orchestrator.worker.executors.celery_call import Call, CalledTask
from orchestrator.worker.executors.port import Finished, TaskFailure, UnknownCallable, Workplace
from orchestrator.worker.executors.python import one_line, print_traceback
from orchestrator.worker.interrupt import Interrupted
from orchestrator.worker.outputs import from_result

OWN = "orchestrator."
NO_APPLICATION = (
    "{name}: no worker of group '{queue}' has this task; start your application's own worker with the masters'"
    " Redis: ORCHESTRATOR_REDIS_URL=… celery -A YOUR_APPLICATION worker -Q {queue}"
)
"""The worker is one of ours and knows no application: mostly because nobody started the application's."""


class CeleryExecutor:
    """Calls registered tasks of one application.

    Args:
        app: The application of this worker.
    """

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._tasks: dict[str, CalledTask] = {}

    def prepare(self, order: Order, workplace: Workplace) -> "CeleryWork":
        """Find the task and its arguments.

        Raises:
            UnknownCallable: This application has not registered the task.
            TaskFailure: `args` or `kwargs` cannot be arguments, or what an earlier hand-over noted is unreadable.
            SecretUnavailable: This worker does not have a secret that is an argument.
        """
        task = self._find(str(order.spec.get("call")), order.queue)
        call = Call.of(replace(order, spec=workplace.vault.resolve(order.spec)))
        return CeleryWork(order, workplace, task, call)

    def _find(self, name: str, queue: str) -> CalledTask:
        called = self._tasks.get(name)
        if called is None:
            called = self._tasks[name] = CalledTask(self._app, self._registered(name, queue))
        return called

    def _registered(self, name: str, queue: str) -> Any:
        try:
            if not name.startswith(OWN):
                return self._app.tasks[name]
        except NotRegistered:
            pass
        known = [one for one in self._app.tasks if not one.startswith((OWN, "celery."))]
        if not known:
            raise UnknownCallable(NO_APPLICATION.format(name=name, queue=queue))
        similar = ", ".join(get_close_matches(name, known)) or "none similar"
        raise UnknownCallable(
            f"{name}: not a registered task of the application '{self._app.main}' ({similar})"
        )


class CeleryWork:
    """One call of a registered task in this process."""

    def __init__(self, order: Order, workplace: Workplace, task: CalledTask, call: Call) -> None:
        self._order = order
        self._workplace = workplace
        self._task = task
        self._called_with = call

    @property
    def process_group(self) -> int | None:
        """This process's group, if it leads one: a pool child does, and what the task starts joins it."""
        own = os.getpid()
        return own if os.getpgrp() == own else None

    def run(self) -> Finished:
        """Call the task; its return value is the outputs."""
        with self._workplace.capture(self._workplace.log):
            result = self._call()
        return Finished(outputs=from_result(as_json(result), self._order.outputs))

    def discard(self) -> None:
        """Nothing was prepared."""

    def _call(self) -> Any:
        try:
            with self._workplace.interrupts.guarding(self._order.id):
                return self._task(self._called_with)
        except (Defer, TaskFailure):
            raise
        except Interrupted as error:
            raise TaskFailure("interrupted", error="Interrupted") from error
        except BaseException as error:
            print_traceback(error)
            raise TaskFailure(one_line(error), error=type(error).__name__) from error


def as_json(value: Any) -> Any:
    """Return a return value with its dates, decimals and UUIDs as text, as Celery's own JSON can carry them."""
    match value:
        case Mapping():
            return {key: as_json(one) for key, one in value.items()}
        case list() | tuple():
            return [as_json(one) for one in value]
        case datetime() | date() | time():
            return value.isoformat()
        case Decimal() | UUID():
            return str(value)
        case _:
            return value
