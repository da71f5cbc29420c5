"""Owns what a YAML scalar means: the core rules of YAML 1.2, so that `no`, `12:30` and `007` stay text."""

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
"""Far beyond what can be stored: of an integer with more digits the first ones are read, to be refused as such."""


class YamlFault(Exception):
    """What is wrong with a text as YAML, and in which line."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def read(event: Any, line: int) -> Any:
    """Return the value of a scalar event of the YAML parser; it may be a number that cannot be stored.

    Raises:
        YamlFault: It has a tag that has no place here.
    """
    if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
        raise YamlFault(f"the tag {event.tag} has no place here", line)
    text: str = event.value
    is_text = not event.implicit[0] or event.style not in (None, "") or event.tag is not None
    return text if is_text else _plain_scalar(text)


def _plain_scalar(text: str) -> Any:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _NOT_FINITE.fullmatch(text):
        return float(text.replace(".", ""))
    if _PREFIXED.fullmatch(text):
        return int(text[:_MAX_DIGITS], 0)
    if _INTEGER.fullmatch(text):
        return int(text[:_MAX_DIGITS])
    if _FLOAT.fullmatch(text) and len(text) < _MAX_DIGITS:
        return float(text)
    return text
