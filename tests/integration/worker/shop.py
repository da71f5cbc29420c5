"""Owns a Celery application for tests, written in plain Celery style, and attached by one line."""

import os
import signal
import sys
import threading
from decimal import Decimal
from typing import Any

from celery import Celery, Task, signals
from celery.exceptions import Ignore, Reject, SoftTimeLimitExceeded

import orchestrator

app = Celery("shop", broker=os.environ["SHOP_BROKER"])
app.conf.task_default_queue = "shop"
app.conf.broker_transport_options = {"global_keyprefix": os.environ.get("SHOP_PREFIX", "")}
app.conf.accept_content = os.environ.get("SHOP_ACCEPTS", "json").split()
app.conf.task_soft_time_limit = float(os.environ.get("SHOP_SOFT_LIMIT", "0")) or None
orchestrator.attach(app)


@signals.task_prerun.connect
def note_prerun(sender: Any, **_: Any) -> None:
    """Show in the log that Celery's signals come."""
    print(f"prerun {sender.name}")  # noqa: T201 - into the attempt's log


class Counting(Task):  # type: ignore[misc, type-arg, unused-ignore]  # Celery's class is untyped
    """A base class of the application's own."""

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:  # noqa: ARG002 - Celery's signature
        """Say so."""
        print(f"before {task_id}")  # noqa: T201 - into the attempt's log

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run, counted."""
        print("counted")  # noqa: T201 - into the attempt's log
        return super().__call__(*args, **kwargs)


@app.task(name="shop.add", base=Counting)
def add(a: int, b: int) -> int:
    """Return the sum."""
    return a + b


@app.task(name="shop.me", bind=True)
def me(self: Any) -> dict[str, Any]:
    """Return what the task sees of itself."""
    request = self.request
    return {
        "id": request.id,
        "retries": request.retries,
        "hostname": request.hostname,
        "direct": request.called_directly,
        "key": request.headers["idempotency_key"],
        "price": Decimal("1.50"),
    }


@app.task(name="shop.again", bind=True, max_retries=3)
def again(self: Any, count: int, done: int = 0) -> dict[str, int]:
    """Ask for retries, each with other arguments."""
    if done < count:
        raise self.retry(args=[count], kwargs={"done": done + 1}, countdown=3 + done)
    return {"done": done, "retries": self.request.retries}


@app.task(name="shop.autoretry", autoretry_for=(KeyError,), max_retries=1, default_retry_delay=5)
def autoretry() -> None:
    """Fail, with Celery's automatic retries."""
    raise KeyError("missing")


@app.task(name="shop.fail")
def fail() -> None:
    """Fail."""
    raise ValueError("no\nsecond line")


@app.task(name="shop.ignore", bind=True)
def ignore(self: Any, state: str | None = None) -> None:
    """Ask for the result to be ignored."""
    if state:
        self.update_state(state=state)
    raise Ignore


@app.task(name="shop.reject")
def reject(requeue: bool) -> None:  # noqa: FBT001 - as applications write it
    """Refuse the message."""
    raise Reject("not today", requeue=requeue)


@app.task(name="shop.replace", bind=True)
def replace(self: Any) -> Any:
    """Hand the work to another task."""
    return self.replace(add.s(1, 2))


@app.task(name="shop.slow", soft_time_limit=1)
def slow() -> None:
    """Take longer than the soft limit."""
    threading.Event().wait(60)


@app.task(name="shop.careful", soft_time_limit=1)
def careful() -> str:
    """Take longer than the soft limit, and make the best of it."""
    try:
        threading.Event().wait(60)
    except SoftTimeLimitExceeded:
        return "partly"
    return "all"


@app.task(name="shop.endless", time_limit=1)
def endless() -> None:
    """Take longer than the hard limit."""
    threading.Event().wait(60)


@app.task(name="shop.linger")
def linger() -> None:
    """Take long."""
    threading.Event().wait(60)


@app.task(name="shop.short")
def short() -> str:
    """Take a moment."""
    threading.Event().wait(2)
    return "done"


@app.task(name="shop.die")
def die() -> None:
    """Kill the child that runs this."""
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="shop.leave")
def leave() -> None:
    """End the interpreter."""
    sys.exit(3)


@app.task(name="shop.unjson")
def unjson() -> object:
    """Return what is no JSON."""
    return {"it": object()}


@app.task(name="shop.nothing")
def nothing() -> None:
    """Return nothing."""
