"""Owns the watchdog: a simulation that crashes or goes round in circles is a violation of its seed."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import extract_tb
from typing import Any

PROCESSOR_S = 60.0
"""Seconds of processor time after which a simulation of the usual size counts as one that never ends."""

FRAMES = 4


class Endless(BaseException):
    """A simulation goes round in circles: something spins without asking for the time."""


@contextmanager
def limited(processor_s: float = PROCESSOR_S) -> Iterator[None]:
    """Raise Endless, wherever the program is, when too much processor time is spent; main thread only.

    Args:
        processor_s: How much may be spent, in seconds.
    """

    def end(*_: Any) -> None:
        raise Endless(f"more than {processor_s:.0f} s of processor time")

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, processor_s, 1.0)  # again and again: something may swallow it
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


def last_words(error: BaseException) -> str:
    """Return what ended a simulation, with the innermost places where it did."""
    kind = "ENDLESS" if isinstance(error, Endless) else f"CRASH: {type(error).__name__}"
    frames = reversed(extract_tb(error.__traceback__)[-FRAMES:])
    return f"{kind}: {error} ({' < '.join(f'{Path(one.filename).name}:{one.lineno}' for one in frames)})"
