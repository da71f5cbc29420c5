"""Owns the interruption of python code that runs inside a worker process."""

import ctypes
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from billiard.exceptions import SoftTimeLimitExceeded


class Interrupted(BaseException):
    """Raised inside a python callable that must end; `except Exception` lets it by."""


class Interrupts:
    """Knows whether this process runs an attempt's python code right now, and interrupts only that.

    Args:
        is_ending: Tells, for an order id, whether the main process decided to end that attempt.
    """

    def __init__(self, is_ending: Callable[[str], bool]) -> None:
        self._is_ending = is_ending
        self._order_id: str | None = None
        self._previous: Callable[[int, FrameType | None], object] | int | None = None

    def listen(self) -> None:
        """Take over SIGTERM in a pool child; one that no attempt is meant by does what it did before."""
        self._previous = signal.signal(signal.SIGTERM, self._on_terminate)

    @contextmanager
    def guarding(self, order_id: str) -> Iterator[None]:
        """Allow interruption while the context is open: inside is the attempt's code and nothing of ours."""
        self._order_id = order_id
        try:
            yield
        finally:
            self._order_id = None

    @contextmanager
    def shielding(self) -> Iterator[None]:
        """While the context is open, let the soft time limit of a pool child reach the attempt's code only."""
        if self._previous is None:
            yield
            return
        previous = signal.signal(signal.SIGUSR1, self._on_soft_limit)
        try:
            yield
        finally:
            signal.signal(signal.SIGUSR1, previous)

    def _on_soft_limit(self, _number: int, _frame: FrameType | None) -> None:
        if self._order_id is not None:
            raise SoftTimeLimitExceeded

    def _on_terminate(self, _number: int, _frame: FrameType | None) -> None:
        order_id = self._order_id
        if order_id is not None and self._is_ending(order_id):
            raise Interrupted
        signal.signal(signal.SIGTERM, self._previous or signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)


def interrupt_thread(thread: int) -> None:
    """Raise `Interrupted` in the thread with that ident of this process, at its next bytecode."""
    if any(one.ident == thread for one in threading.enumerate()):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Interrupted))
