"""Owns what a python callable prints: into the attempt's log instead of the worker's own output."""

import io
import os
import selectors
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TextIO

from orchestrator.worker.logs import STDERR, STDOUT, AttemptLog

CHUNK = 1 << 16
DRAIN_S = 1.0

Capture = Callable[[AttemptLog], AbstractContextManager[None]]


@contextmanager
def capture_descriptors(log: AttemptLog) -> Iterator[None]:
    """Send descriptors 1 and 2 of this whole process into `log`: for pool children, which run one attempt."""
    pipes = {STDOUT: os.pipe(), STDERR: os.pipe()}
    saved = [os.dup(1), os.dup(2)]
    streams = (sys.stdout, sys.stderr)
    _flush(streams)
    os.dup2(pipes[STDOUT][1], 1)
    os.dup2(pipes[STDERR][1], 2)
    for _, write_end in pipes.values():
        os.close(write_end)
    reader = threading.Thread(
        target=_pump,
        args=({name: ends[0] for name, ends in pipes.items()}, log),
        name="attempt-output",
        daemon=True,
    )
    reader.start()
    sys.stdout, sys.stderr = _text(1), _text(2)
    try:
        yield
    finally:
        _flush((sys.stdout, sys.stderr, *streams))
        sys.stdout, sys.stderr = streams
        for descriptor, target in zip(saved, (1, 2), strict=True):
            os.dup2(descriptor, target)
            os.close(descriptor)
        reader.join(DRAIN_S)  # a program the callable left behind may hold the pipe open


def _text(descriptor: int) -> TextIO:
    raw = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(raw, "utf-8", "backslashreplace", write_through=True)


def _flush(streams: tuple[TextIO | None, ...]) -> None:
    for stream in streams:
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            continue


def _pump(read_ends: dict[str, int], log: AttemptLog) -> None:
    with selectors.DefaultSelector() as selector:
        for name, read_end in read_ends.items():
            selector.register(read_end, selectors.EVENT_READ, name)
        while selector.get_map():
            for key, _ in selector.select():
                data = os.read(key.fd, CHUNK)
                log.append(str(key.data), data)
                if not data:
                    selector.unregister(key.fd)
                    os.close(key.fd)


class ThreadStreams:
    """Sends what a thread prints into the log of the attempt it runs: for solo and threads pools.

    Only `sys.stdout` and `sys.stderr` can be told apart by thread, not the descriptors below them.
    """

    def __init__(self) -> None:
        self._logs: dict[int, AttemptLog] = {}

    @contextmanager
    def capture(self, log: AttemptLog) -> Iterator[None]:
        """Send what this thread prints into `log`."""
        self._install()
        self._logs[threading.get_ident()] = log
        try:
            yield
        finally:
            self._logs.pop(threading.get_ident(), None)

    def log_of_this_thread(self) -> AttemptLog | None:
        """Return the log this thread prints into, or `None`."""
        return self._logs.get(threading.get_ident())

    def _install(self) -> None:
        if not isinstance(sys.stdout, _ThreadStream):
            sys.stdout = _ThreadStream(self, STDOUT, sys.stdout)
        if not isinstance(sys.stderr, _ThreadStream):
            sys.stderr = _ThreadStream(self, STDERR, sys.stderr)


class _ThreadStream(io.TextIOBase):
    def __init__(self, streams: ThreadStreams, name: str, original: TextIO) -> None:
        self._streams = streams
        self._name = name
        self._original = original

    def write(self, text: str) -> int:
        log = self._streams.log_of_this_thread()
        if log is None:
            return self._original.write(text)
        log.append(self._name, text.encode("utf-8", "backslashreplace"))
        return len(text)

    def flush(self) -> None:
        self._original.flush()

    def fileno(self) -> int:
        return self._original.fileno()

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True
