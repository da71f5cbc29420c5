"""Owns which functions can be tasks: they are called, and what they return are the outputs."""

import inspect
from collections.abc import Callable
from typing import Any


def why_no_task(function: Callable[..., Any]) -> str | None:
    """Return why this function cannot be a task, and what to write instead; `None` if it can."""
    if inspect.iscoroutinefunction(function):
        return (
            "is an async function, and a worker runs no event loop; write `def` and call asyncio.run(…) in it"
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return "is a generator (it holds `yield`), and a task has one result; collect the values and return a list"
    return None
