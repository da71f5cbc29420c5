"""Owns what a supervisor says about its set-up: one value, sent to every guest when it changes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from orchestrator.config import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The state of a set-up.

    Attributes:
        database_url: Database that the set-up works on.
        redis_url: Its Redis, from the moment at which it answers.
        has_master: A master shows signs of life: the schema is up to date, runs can be submitted.
        ready: Redis, master and workers have shown that they accept work.
        pids: Process ids by role: `redis`, `postgres` (one or `None`), `master`, `worker` (lists).
        error: Why the set-up could not start; it ends after saying so.
    """

    database_url: str
    redis_url: str | None = None
    has_master: bool = False
    ready: bool = False
    pids: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether runs can be submitted: Redis answers, and a master has seen to the schema."""
        return self.redis_url is not None and self.has_master

    def applied_to(self, settings: Settings) -> Settings:
        """Return the settings with the set-up's addresses."""
        return settings.model_copy(update={"database_url": self.database_url, "redis_url": self.redis_url})

    def to_document(self) -> dict[str, Any]:
        """Return the status as JSON-ready containers."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Status":
        """Return the status whose `to_document` is `document`; what it does not know is ignored."""
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in document.items() if name in known})
