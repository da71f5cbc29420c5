"""Owns waiting: for a condition, under a deadline, with short looks."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(look: Callable[[], T], what: str, *, within_s: float = 120.0, every_s: float = 0.005) -> T:
    """Return the first true answer of `look`.

    Args:
        look: Asked again and again.
        what: Says in the error what was waited for.
        within_s: Deadline in seconds.
        every_s: Seconds between two looks.

    Raises:
        TimeoutError: The deadline passed.
    """
    deadline = time.monotonic() + within_s
    while not (answer := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {within_s:g} s")
        time.sleep(every_s)
    return answer
