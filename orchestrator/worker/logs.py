"""Owns the log files of attempts: the output as written, and beside it an index of when and by which stream.

`<instance>/<task>.<attempt>.log` holds the bytes exactly as the attempt wrote them; `….log.index` has one
JSON line `[offset, size, seconds since the epoch, "stdout"|"stderr"]` per chunk.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from orchestrator.core.order import Order
from orchestrator.worker.masking import MaskedStreams, Masks

STDOUT = "stdout"
STDERR = "stderr"
SAFE = "[]-_ +@"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of an attempt's output.

    Attributes:
        at: When its first byte was read, aware UTC; `None` when the index does not say.
        stream: `stdout` or `stderr`.
        text: The line without its end; bytes that are not UTF-8 are replaced.
    """

    at: datetime | None
    stream: str
    text: str


def log_path(logs: Path, order: Order) -> Path:
    """Return the log file of the attempt that `order` hands over, below the directory `logs`."""
    return attempt_log_path(logs, order.workflow_instance_id, order.task, order.attempt)


def attempt_log_path(logs: Path, workflow_instance_id: int, task: str, attempt: int) -> Path:
    """Return the log file of one attempt, below the directory `logs`."""
    return logs / str(workflow_instance_id) / f"{quote(task, safe=SAFE)}.{attempt}.log"


class AttemptLog:
    """Appends an attempt's output to its file; the file appears with the first byte.

    A disk that is full or broken loses output, never the attempt: `lost` counts the bytes.

    Args:
        path: The file.
        clock: Seconds since the epoch, for the index.
        masks: What must not be readable in the file. The end of a piece that may be the beginning of such a
            text waits for the next piece, or for `close`.
    """

    def __init__(
        self, path: Path, clock: Callable[[], float] = time.time, masks: Masks | None = None
    ) -> None:
        self.path = path
        self.lost = 0
        self._clock = clock
        self._lock = threading.Lock()
        self._streams = MaskedStreams(masks or Masks())
        self._files: tuple[BinaryIO, BinaryIO] | None = None

    def append(self, stream: str, data: bytes) -> None:
        """Write `data`, read from `stream` (`stdout` or `stderr`), as it is but for what is masked."""
        with self._lock:
            self._append(stream, self._streams.feed(stream, data))

    def close(self) -> None:
        """Write what was held back and close the files; a later `append` opens them again."""
        with self._lock:
            for stream, data in self._streams.end():
                self._append(stream, data)
            for file in self._files or ():
                file.close()
            self._files = None

    def _append(self, stream: str, data: bytes) -> None:
        if not data:
            return
        try:
            self._write(stream, data)
        except OSError:
            self.lost += len(data)

    def _write(self, stream: str, data: bytes) -> None:
        content, index = self._files or self._open()
        offset = content.tell()
        content.write(data)
        index.write(json.dumps([offset, len(data), round(self._clock(), 6), stream]).encode() + b"\n")

    def _open(self) -> tuple[BinaryIO, BinaryIO]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        content = self.path.open("ab", buffering=0)
        index = index_path(self.path).open("ab", buffering=0)
        self._files = (content, index)
        return self._files


def index_path(path: Path) -> Path:
    """Return the index that belongs to the log file `path`."""
    return path.with_name(path.name + ".index")


def read_log(path: Path) -> Iterator[LogLine]:
    """Yield the lines of an attempt's log in the order of their ends; nothing if there is no log yet."""
    if not path.exists():
        return
    waiting: dict[str, _Partial] = {}
    with path.open("rb") as content:
        for size, at, stream in _chunks(path):
            yield from _lines(waiting.setdefault(stream, _Partial()), content.read(size), at, stream)
    for stream, partial in waiting.items():
        if partial.data:
            yield _line(partial.at, stream, partial.data)


class _Partial:
    """The beginning of a line whose end was not read yet."""

    def __init__(self) -> None:
        self.data = b""
        self.at: float | None = None


def _chunks(path: Path) -> Iterator[tuple[int, float | None, str]]:
    """Yield size, time and stream of the file's pieces; those without an index entry count as stdout."""
    position, end = 0, path.stat().st_size
    for offset, size, at, stream in _entries(index_path(path)):
        if offset > position:
            yield offset - position, None, STDOUT
        yield size, at, stream
        position = offset + size
    if end > position:
        yield end - position, None, STDOUT


def _entries(index: Path) -> Iterator[tuple[int, int, float, str]]:
    if not index.exists():
        return
    with index.open("rb") as lines:
        for line in lines:
            try:
                offset, size, at, stream = json.loads(line)
            except ValueError:
                return  # cut off by a full disk or a crash: the rest has no times
            yield offset, size, at, stream


def _lines(partial: _Partial, data: bytes, at: float | None, stream: str) -> Iterator[LogLine]:
    for piece in _split(data):
        began = partial.at if partial.data else at
        text = partial.data + piece
        if piece.endswith(b"\n"):
            yield _line(began, stream, text)
            partial.data, partial.at = b"", None
        else:
            partial.data, partial.at = text, began


def _split(data: bytes) -> list[bytes]:
    pieces = data.split(b"\n")
    return [piece + b"\n" for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])


def _line(at: float | None, stream: str, data: bytes) -> LogLine:
    text = data.rstrip(b"\r\n").decode("utf-8", "replace")
    return LogLine(at=datetime.fromtimestamp(at, UTC) if at is not None else None, stream=stream, text=text)
