"""Owns what a supervisor says about its set-up: one value, sent to every guest when it changes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The state of a set-up.

    Attributes:
        database_url: Database that the set-up works on.
        redis_url: Its Redis, from the moment at which it answers.
        ready: Redis, master and workers have shown that they accept work.
        pids: Process ids by role: `redis`, `postgres` (one or `None`), `master`, `worker` (lists).
        error: Why the set-up could not start; it ends after saying so.
    """

    database_url: str
    redis_url: str | None = None
    ready: bool = False
    pids: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None

    def to_document(self) -> dict[str, Any]:
        """Return the status as JSON-ready containers."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Status":
        """Return the status whose `to_document` is `document`; what it does not know is ignored."""
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in document.items() if name in known})
