"""What a registered Celery task does while it runs for us, and what that means for its attempt."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from celery import Celery
from celery.exceptions import Retry

from orchestrator.core.deferral import Defer
from orchestrator.worker.executors.celery_call import Call, CalledTask
from orchestrator.worker.executors.celery_task import CeleryExecutor, as_json
from orchestrator.worker.executors.port import TaskFailure, UnknownCallable, Workplace
from tests.unit.worker.twins import make_order


def called(body: Callable[..., Any], *args: Any, noted: dict[str, Any] | None = None) -> Any:
    """Return what a bound task with this body returns when it is called for us."""
    app = Celery("shop", broker="memory://", set_as_current=False)
    body.__name__ = "body"  # Celery writes a function of that name, and a lambda has none
    task: Any = app.task(bind=True, name="shop.one", shared=False)(body)
    external_ids = {"celery": json.dumps(noted)} if noted else {}
    order = make_order(
        type="celery", spec={"call": "shop.one", "args": list(args)}, external_ids=external_ids
    )
    return CalledTask(app, app.tasks[task.name])(Call.of(order))


def test_plain_call_returns_its_value() -> None:
    """Arguments in, value out."""
    assert called(lambda self, a: (self.request.id, a), 5) == ("1:one:1", 5)


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ({"countdown": 7}, 7),
        ({"eta": lambda now: now + timedelta(hours=1)}, 3600),
        ({"eta": lambda now: now.replace(tzinfo=None) + timedelta(hours=1)}, 3600),
        ({"eta": lambda now: now - timedelta(hours=1)}, 0),
        ({}, 180),
    ],
)
def test_retry_waits_as_asked(options: dict[str, Any], seconds: float) -> None:
    """`countdown`, `eta` with and without a zone, and the task's default delay."""
    now = datetime.now(UTC)
    given = {name: one(now) if callable(one) else one for name, one in options.items()}
    with pytest.raises(Defer) as defer:
        called(lambda self: self.retry(**given))

    assert defer.value.seconds == pytest.approx(seconds, abs=60)
    assert json.loads(defer.value.external_ids["celery"]) == {"retries": 1}


def test_retry_without_throw_defers_whatever_the_task_returns() -> None:
    """In Celery the retry would be in the broker by then."""

    def body(self: Any) -> str:
        self.retry(throw=False, countdown=1)
        return "ignored"

    with pytest.raises(Defer):
        called(body)


def test_retry_raised_by_hand_is_a_deferral() -> None:
    """Celery would wait for somebody else to send it again; nobody would."""
    with pytest.raises(Defer) as defer:
        called(_raise_retry, noted={"retries": 4})

    assert (defer.value.seconds, json.loads(defer.value.external_ids["celery"])) == (3.0, {"retries": 5})


def _raise_retry(self: Any) -> None:  # noqa: ARG001 - a bound task's signature
    raise Retry("later", when=cast("Any", 3))


def test_next_hand_over_has_what_the_last_one_noted() -> None:
    """Count and arguments; what an earlier retry changed stays changed."""
    seen = called(lambda self, *args, **kwargs: (self.request.retries, args, kwargs), 1,
                  noted={"retries": 2, "args": [9], "kwargs": {"b": 3}})  # fmt: skip

    assert seen == (2, (9,), {"b": 3})


@pytest.mark.parametrize(
    ("args", "reason"), [([object()], "no JSON"), (["x" * 70_000], "more than 65536 bytes")]
)
def test_arguments_of_a_retry_must_fit_into_the_report(args: list[Any], reason: str) -> None:
    """One clear failure; nothing is cut off."""
    with pytest.raises(TaskFailure, match=reason):
        called(lambda self: self.retry(args=args, countdown=1))


def test_arguments_that_are_none_fail_before_the_start() -> None:
    """A reference may have given text where a list is needed."""
    with pytest.raises(TaskFailure, match="args and kwargs cannot be used"):
        Call.of(make_order(spec={"call": "t", "kwargs": 5}))


def test_calls_that_are_not_ours_are_as_they_were() -> None:
    """The same task called directly, or by Celery, still publishes and retries for itself."""
    app = Celery("shop", broker="memory://", set_as_current=False)

    def body(self: Any) -> Any:
        return self.signature_from_request()

    task: Any = app.task(bind=True, name="shop.two", shared=False)(body)
    CalledTask(app, app.tasks[task.name])

    assert "apply_async" not in vars(task())
    assert task.signature_from_request().task == "shop.two"


def test_values_of_celerys_own_json_are_text() -> None:
    """Dates and the like, at any depth; what else is no JSON stays, and is refused where outputs are checked."""
    thing = object()

    assert as_json({"at": [datetime(2026, 1, 2, tzinfo=UTC)], "it": thing}) == {
        "at": ["2026-01-02T00:00:00+00:00"],
        "it": thing,
    }


def test_worker_without_an_application_says_which_worker_is_missing() -> None:
    """`orchestrator run` of a file whose application nobody started: the reason says how to start it."""
    app = Celery("orchestrator", set_as_current=False)
    for shared in [name for name in app.tasks if not name.startswith("celery.")]:
        app.tasks.unregister(
            shared
        )  # `shared_task`s of other tests belong to every application of the process
    executor = CeleryExecutor(app)
    order = make_order(type="celery", spec={"call": "shop.tasks.charge"}, queue="shop")

    with pytest.raises(UnknownCallable) as refusal:
        executor.prepare(order, cast("Workplace", None))  # it is not asked for

    assert "shop.tasks.charge: no worker of group 'shop' has this task" in str(refusal.value)
    assert "celery -A YOUR_APPLICATION worker -Q shop" in str(refusal.value)
