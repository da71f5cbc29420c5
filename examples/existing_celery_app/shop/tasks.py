"""The shop's tasks, in plain Celery style: shared and bound tasks, a base class, retries, a soft time limit."""

import time
from typing import Any

from celery import Task, shared_task
from celery.exceptions import SoftTimeLimitExceeded


class Bookkeeping(Task):
    """The base class of the shop's tasks that move money: it notes how each call ended."""

    def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> None:
        print(f"booked: {self.name} {task_id}")

    def on_failure(self, exc: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        print(f"not booked: {self.name} {task_id}: {exc}")


class BankIsBusy(Exception):
    """The bank asks to come again later."""


@shared_task
def open_orders(day: str) -> dict[str, Any]:
    """Return the orders of a day that are not paid yet."""
    return {"day": day, "orders": [{"id": 17, "amount": 40}, {"id": 18, "amount": 2}]}


@shared_task(bind=True, base=Bookkeeping, max_retries=5)
def charge(self: Any, orders: list[dict[str, Any]], *, currency: str) -> dict[str, Any]:
    """Charge orders; the bank is busy the first two times."""
    if self.request.retries < 2:
        raise self.retry(exc=BankIsBusy("come again"), countdown=0.2)
    return {
        "charged": sum(order["amount"] for order in orders),
        "currency": currency,
        "retries": self.request.retries,
    }


@shared_task(soft_time_limit=1)
def print_labels(count: int) -> int:
    """Print labels until the time is up, and say how many there are."""
    printed = 0
    try:
        while printed < count:
            time.sleep(0.4)
            printed += 1
    except SoftTimeLimitExceeded:
        print("the rest is for tomorrow")
    return printed


@shared_task
def thank(total: int, currency: str) -> str:
    """Return a letter."""
    return f"Thank you for {total} {currency}"
