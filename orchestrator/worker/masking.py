"""Owns the removal of secrets from what leaves an attempt: texts, values, and streams in pieces."""

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "******"
LINE = 4
"""A line of a secret of several lines is masked by itself when it has at least so many characters."""


class Masks:
    """Knows texts that nobody may read, in the forms in which programs write them."""

    def __init__(self) -> None:
        self._texts: set[str] = set()
        self._patterns: tuple[bytes, ...] = ()

    def add(self, text: str) -> None:
        """Hide `text` from now on: as it is, line by line, and encoded for urls, JSON and base64."""
        if not text or text in self._texts:
            return
        self._texts.update(_forms(text))
        patterns = (one.encode("utf-8", "surrogateescape") for one in self._texts)
        self._patterns = tuple(sorted(patterns, key=len, reverse=True))

    def masked(self, value: Any) -> Any:
        """Return `value` with the mask where a hidden text stands, at any depth, in keys and numbers too."""
        if not self._patterns:
            return value
        match value:
            case str():
                return self._text(value)
            case list() | tuple():
                return [self.masked(one) for one in value]
            case Mapping():
                return {self.masked(key): self.masked(one) for key, one in value.items()}
            case int() | float() if not isinstance(value, bool) and str(value) in self._texts:
                return MASK
            case _:
                return value

    def split(self, data: bytes, *, is_last: bool) -> tuple[bytes, bytes]:
        """Return the masked beginning of `data`, and the rest, which may be the beginning of a hidden text.

        Args:
            data: What was read, behind the rest of the last time.
            is_last: Nothing comes behind it: there is no rest.
        """
        if not self._patterns:
            return data, b""
        found = _spans(data, self._patterns)
        cut = len(data) if is_last else _cut(data, self._patterns, found)
        return _cover([span for span in found if span[1] <= cut], data[:cut]), data[cut:]

    def _text(self, text: str) -> str:
        data = text.encode("utf-8", "surrogatepass")
        spans = _spans(data, self._patterns)
        return _cover(spans, data).decode("utf-8", "surrogatepass") if spans else text


class MaskedStreams:
    """Masks streams that come in pieces: a hidden text is found across the borders too.

    Args:
        masks: What to hide.
    """

    def __init__(self, masks: Masks) -> None:
        self._masks = masks
        self._rests: dict[str, bytes] = {}

    def feed(self, stream: str, data: bytes) -> bytes:
        """Return what may be written now of the stream."""
        ready, self._rests[stream] = self._masks.split(self._rests.get(stream, b"") + data, is_last=False)
        return ready

    def end(self) -> list[tuple[str, bytes]]:
        """Return what was held back, by stream."""
        rests, self._rests = self._rests, {}
        return [(stream, self._masks.split(rest, is_last=True)[0]) for stream, rest in rests.items() if rest]


def _forms(text: str) -> Iterable[str]:
    lines = [line for line in (one.strip() for one in text.splitlines()) if len(line) >= LINE]
    for one in {text, text.strip() or text, *lines}:
        yield from (one, quote(one, safe=""), quote(one), quote_plus(one))
        yield from (json.dumps(one)[1:-1], json.dumps(one, ensure_ascii=False)[1:-1], repr(one)[1:-1])
        yield base64.b64encode(one.encode("utf-8", "surrogateescape")).decode()


def _spans(data: bytes, patterns: Iterable[bytes]) -> list[tuple[int, int]]:
    """Return where hidden texts stand, overlapping ones as one, in order."""
    found = []
    for pattern in patterns:
        start = data.find(pattern)
        while start >= 0:
            found.append((start, start + len(pattern)))
            start = data.find(pattern, start + 1)
    merged: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _cut(data: bytes, patterns: Iterable[bytes], found: list[tuple[int, int]]) -> int:
    """Return from where on `data` must wait for what comes behind it."""
    cut = min((_open(data, pattern) for pattern in patterns), default=len(data))
    for start, end in reversed(found):
        if start < cut < end:
            cut = start
    return cut


def _open(data: bytes, pattern: bytes) -> int:
    """Return where a part of `pattern` begins that reaches the end of `data`, or the end."""
    position = data.find(pattern[:1], max(0, len(data) - len(pattern) + 1))
    while position >= 0:
        if pattern.startswith(data[position:]):
            return position
        position = data.find(pattern[:1], position + 1)
    return len(data)


def _cover(spans: list[tuple[int, int]], data: bytes) -> bytes:
    parts, last = [], 0
    for start, end in spans:
        parts += [data[last:start], MASK.encode()]
        last = end
    return b"".join([*parts, data[last:]])
