"""Owns the story of a simulation: who did what when, in words; told only when somebody listens."""

import logging
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog

from tests.simulation.plan import Plan

DULL = frozenset({"TIME", "HGET", "ZRANGE", "PING", "INFO", "HMGET", "XLEN"})
"""Commands that change nothing: not worth a line."""


class Story:
    """Collects lines.

    Args:
        listening: Whether anything is kept.
    """

    def __init__(self, *, listening: bool = False) -> None:
        self.listening = listening
        self.lines: list[str] = []
        self.clock: Callable[[], float] = lambda: 0.0
        self.speaker: Callable[[], str] = lambda: ""

    def tell(self, actor: str, text: str) -> None:
        """Add a line."""
        if self.listening:
            self.lines.append(f"{self.clock():10.4f}  {actor:<24} {text}")


def shortened(value: object, most: int = 160) -> str:
    """Return a value in at most so many characters."""
    text = " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= most else f"{text[:most]}…"


def quiet() -> None:
    """Let the product's log lines go nowhere, quickly."""
    structlog.configure(
        processors=[],
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        cache_logger_on_first_use=False,
    )


@contextmanager
def listening(story: Story) -> Iterator[None]:
    """Make the product's log lines part of a story, while the context is open."""

    def write(_logger: Any, _level: str, event: MutableMapping[str, Any]) -> str:
        name = event.pop("event", "")
        facts = " ".join(f"{key}={value}" for key, value in event.items())
        story.tell(story.speaker(), f"{name} {facts}".rstrip())
        raise structlog.DropEvent

    structlog.configure(
        processors=[write],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.DEBUG if story.listening else logging.CRITICAL
        ),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.reset_defaults()


def describe(plan: Plan) -> str:
    """Return a plan in words."""
    lines = [f"seed {plan.seed}: {len(plan.runs)} runs, {len(plan.workers)} workers"]
    for position, run in enumerate(plan.runs):
        definition = run.definition
        lines.append(
            f"  run {position} of {definition.name} at {run.submit_at_s:.1f} s, on_failure {definition.on_failure}"
            + (f", planned for {run.planned_time:%Y-%m-%d %H:%M:%S}" if run.planned_time else "")
        )
        for task in definition.tasks:
            facts = [f"needs {', '.join(task.needs)}"] if task.needs else []
            facts += [f"trigger {task.trigger}"] if task.trigger != "all_success" else []
            facts += [f"pool {task.pool}"] if task.pool else []
            facts += [f"{task.type} {dict(task.spec)}"] if task.type != "noop" else []
            facts += [f"check {dict(task.check)}"] if task.check else []
            facts += [f"params {dict(task.params)}"] if task.params else []
            facts += ["disabled"] if task.disabled else []
            facts += [f"retries {task.retries}"] if task.retries else []
            facts += [f"timeout {task.timeout_s}"] if task.timeout_s else []
            facts += [f"delay {task.delay_s}"] if task.delay_s else []
            lines.append(f"    {task.name}: {'; '.join([*facts, str(run.scripts.get(task.name, ''))])}")
    lines += [f"  pool {name}: {slots} slots" for name, slots in plan.pools.items()]
    lines += [f"  {one.at_s:8.2f} s: {one.slots} slots for {one.pool}" for one in plan.resizes]
    lines += [f"  {one.at_s:8.2f} s: {one.kind} run {one.run}" for one in plan.controls]
    lines += [
        f"  {one.at_s:8.2f} s: {', '.join(one.steps)} a child of run {one.run}, {one.moment} "
        f"(every {one.every_s} s, {one.pick:.2f}{', twice' if one.twice else ''})"
        for one in plan.touches
    ]
    lines += [f"  {one.at_s:8.2f} s: {one.kind} ({one.seconds:.1f} s, {one.pick:.2f})" for one in plan.faults]
    return "\n".join(lines)
