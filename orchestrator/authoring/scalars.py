"""Owns what a YAML scalar means: the core rules of YAML 1.2, so that `no`, `12:30` and `007` stay text."""

import math
import re
from typing import Any

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_PREFIXED = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_MAX_DIGITS = 300


class YamlFault(Exception):
    """What is wrong with a text as YAML, and in which line."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def read(event: Any, line: int) -> Any:
    """Return the value of a scalar event of the YAML parser.

    Raises:
        YamlFault: It has a tag that has no place here, or is a number that cannot be stored.
    """
    if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
        raise YamlFault(f"the tag {event.tag} has no place here", line)
    text: str = event.value
    if "\0" in text:
        raise YamlFault("a text holds a NUL character", line)
    is_text = not event.implicit[0] or event.style not in (None, "") or event.tag is not None
    return text if is_text else _plain_scalar(text, line)


def _plain_scalar(text: str, line: int) -> Any:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _NOT_FINITE.fullmatch(text):
        raise YamlFault(f"{text} is no number that can be stored", line)
    if _PREFIXED.fullmatch(text) and len(text) < _MAX_DIGITS:
        return int(text, 0)
    if _INTEGER.fullmatch(text) and len(text) < _MAX_DIGITS:
        return int(text)
    if _FLOAT.fullmatch(text) and len(text) < _MAX_DIGITS:
        return _finite(float(text), text, line)
    return text


def _finite(value: float, text: str, line: int) -> float:
    if not math.isfinite(value):
        raise YamlFault(f"{text} is too large a number", line)
    return value
