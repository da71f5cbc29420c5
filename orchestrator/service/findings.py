"""Owns the finding: what one check of the doctor says, and its remedy."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One answer of the doctor.

    Attributes:
        check: What was looked at: `database`, `redis`, `masters`, …
        message: What was found.
        remedy: What to do about it; empty when nothing is wrong.
        unreachable: A service did not answer.
    """

    check: str
    level: Level
    message: str
    remedy: str = ""
    unreachable: bool = False

    def to_document(self) -> dict[str, Any]:
        """Return the finding as JSON-ready containers."""
        return asdict(self)


def fine(check: str, message: str) -> Finding:
    """Return a finding with which nothing is wrong."""
    return Finding(check=check, level=Level.OK, message=message)


def warning(check: str, message: str, remedy: str) -> Finding:
    """Return a finding that somebody should look at."""
    return Finding(check=check, level=Level.WARNING, message=message, remedy=remedy)


def error(check: str, message: str, remedy: str) -> Finding:
    """Return a finding that keeps work from going on."""
    return Finding(check=check, level=Level.ERROR, message=message, remedy=remedy)


def unreachable(check: str, message: str, remedy: str) -> Finding:
    """Return a finding about a service that did not answer."""
    return Finding(check=check, level=Level.ERROR, message=message, remedy=remedy, unreachable=True)
