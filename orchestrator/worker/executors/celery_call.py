"""Owns one call of a registered Celery task as Celery itself would make it, and what its end means for us.

Celery's own tracer calls it, so that signals, hooks, base classes and `self.request` behave as in any worker. What
a task would publish about itself (a retry, its replacement) is noted instead: the master does the rest.
"""

import json
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from billiard.exceptions import SoftTimeLimitExceeded
from celery import Celery, current_task
from celery.app.trace import build_tracer
from celery.states import FAILURE
from celery.utils.time import maybe_make_aware

from orchestrator.core.deferral import Defer
from orchestrator.core.order import Order
from orchestrator.worker.executors.port import TaskFailure
from orchestrator.worker.executors.python import one_line
from orchestrator.worker.outputs import LIMIT_BYTES

NOTES = "orchestrator_notes"
KEY = "celery"
REQUEUE_S = 1.0
MOST_DELAY_S = 3650 * 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a task is called with.

    Attributes:
        retries: How often it has asked for a retry in this attempt.
    """

    order: Order
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    retries: int = 0

    @classmethod
    def of(cls, order: Order) -> "Call":
        """Return the call that an order asks for; an earlier hand-over's retry may have changed the arguments.

        Raises:
            TaskFailure: They cannot be arguments.
        """
        try:
            noted = json.loads(order.external_ids.get(KEY, "{}"))
            args = noted.get("args", order.spec.get("args", []))
            kwargs = noted.get("kwargs", order.spec.get("kwargs", {}))
            return cls(
                order=order, args=list(args), kwargs=dict(kwargs), retries=int(noted.get("retries", 0))
            )
        except (ValueError, TypeError, AttributeError) as error:
            raise TaskFailure(f"args and kwargs cannot be used: {error}", error="InvalidTask") from error

    @property
    def id(self) -> str:
        """What the task sees as its id: the same for all its retries, another one for each attempt."""
        return f"{self.order.workflow_instance_id}:{self.order.task}:{self.order.attempt}"


@dataclass(slots=True, kw_only=True)
class Notes:
    """What a task said about itself while it ran.

    Attributes:
        retry: The signature that it would have published.
        state: What it last called its own state.
    """

    retry: Any = None
    state: str | None = None


class CalledTask:
    """A registered task, ready to be called for us; whoever else calls it gets what they always got.

    Args:
        app: Its application.
        task: The registered task.
    """

    def __init__(self, app: Celery, task: Any) -> None:
        self._app = app
        self._task = task
        self._trace = build_tracer(task.name, task, loader=app.loader, app=app)
        _listen(task)

    def __call__(self, call: Call) -> Any:
        """Return what the task returns.

        Raises:
            Defer: It asked for a retry, or to be requeued.
            TaskFailure: It failed.
        """
        notes = Notes()
        request = {**_request(call, self._task.name), NOTES: notes}
        traced = self._trace(call.id, list(call.args), dict(call.kwargs), request)
        if notes.retry is not None:
            raise self._deferral(notes.retry, call)
        if traced.info is None:
            return traced.retval
        sys.stderr.write(getattr(traced.retval, "traceback", None) or "")  # into the attempt's log
        return self._ended(traced.info.state, traced.info.retval, notes, call)

    def _ended(self, state: str, error: Any, notes: Notes, call: Call) -> Any:
        requeue = getattr(error, "requeue", False)
        match state:
            case "IGNORED" if notes.state != FAILURE:
                return None
            case "IGNORED":
                raise TaskFailure("the task set its state to FAILURE", error="Ignore")
            case "REJECTED" if requeue:
                raise Defer(REQUEUE_S, external_ids=_noted(call, {}))
            case "REJECTED":
                raise TaskFailure(f"rejected: {error}", error="Reject")
            case "RETRY":
                news = {"retries": call.retries + 1}
                raise Defer(self._seconds(getattr(error, "when", None)), external_ids=_noted(call, news))
            case _:
                raise _failure(error)

    def _deferral(self, signature: Any, call: Call) -> Defer:
        options = signature.options
        news: dict[str, Any] = {"retries": options.get("retries", call.retries + 1)}
        if list(signature.args) != list(call.args) or dict(signature.kwargs) != dict(call.kwargs):
            news |= {"args": list(signature.args), "kwargs": dict(signature.kwargs)}
        seconds = self._seconds(options.get("eta") or options.get("countdown"))
        return Defer(seconds, external_ids=_noted(call, news))

    def _seconds(self, when: Any) -> float:
        """Return how long until `when`, which is a time or a number of seconds."""
        if isinstance(when, datetime):
            when = (maybe_make_aware(when, self._app.timezone) - datetime.now(UTC)).total_seconds()
        return min(max(float(when or 0.0), 0.0), MOST_DELAY_S)


def _request(call: Call, name: str) -> dict[str, Any]:
    """Return what the task sees as `self.request`."""
    order = call.order
    return {
        "id": call.id,
        "root_id": call.id,
        "correlation_id": call.id,
        "task": name,
        "retries": call.retries,
        "hostname": _hostname(),
        "delivery_info": {"exchange": "", "routing_key": order.queue, "priority": None, "redelivered": False},
        "origin": "orchestrator",
        "is_eager": False,
        "ignore_result": True,  # the master keeps it: no result backend can hold the task up
        "headers": {
            "workflow": order.workflow,
            "workflow_instance_id": order.workflow_instance_id,
            "task": order.task,
            "attempt": order.attempt,
            "run_count": order.run_count,
            "idempotency_key": order.idempotency_key,
        },
    }


def _hostname() -> str:
    """Return the worker's name, as the request of our own task has it, which is carried out right now."""
    request = getattr(current_task, "request", None)  # a proxy of nothing, outside of any task
    return getattr(request, "hostname", None) or socket.gethostname()


def _noted(call: Call, news: Mapping[str, Any]) -> dict[str, str]:
    """Return what the next hand-over finds: what this one found, and the news.

    Raises:
        TaskFailure: They are too large, or no JSON.
    """
    before = json.loads(call.order.external_ids.get(KEY, "{}"))
    try:
        text = json.dumps({**before, **news}, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TaskFailure(f"the retry's arguments are no JSON: {error}", error="InvalidRetry") from error
    if len(text) > LIMIT_BYTES:
        raise TaskFailure(f"the retry's arguments have more than {LIMIT_BYTES} bytes", error="InvalidRetry")
    return {**call.order.external_ids, KEY: text}


def _failure(error: Any) -> BaseException:
    """Return what is to be raised for the exception that a task ended with."""
    if isinstance(error, Defer | TaskFailure):
        return error
    if isinstance(error, SoftTimeLimitExceeded):
        return TaskFailure("timeout", error="SoftTimeLimitExceeded")
    if isinstance(error, BaseException):
        return TaskFailure(one_line(error), error=type(error).__name__)
    return TaskFailure(str(error), error="TaskError")


def _listen(task: Any) -> None:
    """Hear what the task publishes about itself while it runs for us; all other calls of it are as they were."""
    make_signature, replace, update_state = task.signature_from_request, task.on_replace, task.update_state

    def signature_from_request(*args: Any, **options: Any) -> Any:
        signature, notes = make_signature(*args, **options), _notes(task)
        if notes is not None:
            signature.apply_async = lambda *_, **__: setattr(notes, "retry", signature)
        return signature

    def on_replace(signature: Any) -> Any:
        if _notes(task) is None:
            return replace(signature)
        raise TaskFailure("self.replace is for canvas: make the other task a node", error="Replaced")

    def note_state(task_id: str | None = None, state: str | None = None, *args: Any, **options: Any) -> Any:
        notes = _notes(task)
        if notes is not None:
            notes.state = state
        return update_state(task_id, state, *args, **options)

    task.signature_from_request = signature_from_request
    task.on_replace = on_replace
    task.update_state = note_state


def _notes(task: Any) -> Notes | None:
    """Return the notes of the call that runs in this thread, or `None` if it is not ours."""
    return getattr(task.request, NOTES, None)
