"""Owns the settings: the only reader of the environment; it checks itself and reports every fault at once."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from orchestrator import crash
from orchestrator.errors import SettingsError

MASK = "******"


class Settings(BaseSettings):
    """All settings, from environment variables `ORCHESTRATOR_<NAME>`. Durations are in seconds."""

    model_config = SettingsConfigDict(env_prefix="ORCHESTRATOR_", extra="ignore", frozen=True)

    home: Path = Field(Path("~/.orchestrator"), description="Embedded database, private Redis, logs, spools.")
    database_url: str | None = Field(None, description="SQLAlchemy URL; default: SQLite in the home.")
    redis_url: str | None = Field(None, description="Redis URL; default: a private embedded server.")
    broker_url: str | None = Field(None, description="Celery broker URL; default: the Redis URL.")
    key_prefix: str = Field("orchestrator:", description="Prefix of every Redis key, Celery's included.")
    source_dir: Path | None = Field(None, description="Where workers find the definitions' files.")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    log_format: str = Field("console", description="console or json.")

    lease_seconds: float = Field(10.0, gt=0, description="How long a slot's lease lives without renewal.")
    renewal_seconds: float | None = Field(None, gt=0, description="Lease renewal; default: lease / 10.")
    heartbeat_seconds: float = Field(3.0, gt=0, description="How often a worker shows that it lives.")
    lost_seconds: float = Field(15.0, gt=0, description="When a silent worker is lost.")
    resend_seconds: float = Field(10.0, gt=0, description="How often unanswered reports are looked at.")
    dispatch_timeout_seconds: float = Field(60.0, gt=0, description="When a dispatch is recalled, repeated.")
    mail_sweep_seconds: float = Field(2.0, gt=0, description="How often commands are looked for unasked.")
    kill_seconds: float = Field(5.0, gt=0, description="Between TERM and KILL of a task.")

    master_cpu_limit: float = Field(0.0, ge=0, description="No new START above this load per core; 0: off.")
    master_memory_limit: float = Field(0.95, gt=0, le=1, description="No new START above this memory use.")
    inbox_limit: int = Field(20_000, ge=1000, description="Events the master holds before its reader waits.")
    worker_cpu_limit: float = Field(0.0, ge=0, description="Reject above this load per core; 0: off.")
    worker_memory_limit: float = Field(0.98, gt=0, le=1, description="Reject above this memory use.")

    on_partition: str = Field("continue", description="continue or kill: a worker cut off from Redis.")
    connect_timeout_seconds: float = Field(5.0, gt=0, description="Database and Redis connect timeout.")
    crash_at: str | None = Field(None, description="<point>[:N], for tests: end the process there.")

    @field_validator("home", "source_dir")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value is not None else None

    @field_validator("database_url")
    @classmethod
    def _psycopg2(cls, value: str | None) -> str | None:
        for short in ("postgresql://", "postgres://"):
            if value and value.startswith(short):
                return "postgresql+psycopg2://" + value.removeprefix(short)
        return value

    @field_validator("crash_at")
    @classmethod
    def _known_point(cls, value: str | None) -> str | None:
        if value:
            crash.parse(value)
        return value

    @model_validator(mode="after")
    def _consistent(self) -> "Settings":
        faults = []
        if self.renewal >= self.lease_seconds / 3:
            faults.append("renewal_seconds must be below lease_seconds / 3")
        if self.heartbeat_seconds >= self.lost_seconds / 3:
            faults.append("heartbeat_seconds must be below lost_seconds / 3")
        if self.resend_seconds > self.dispatch_timeout_seconds / 2:
            faults.append("resend_seconds must be at most dispatch_timeout_seconds / 2")
        choices = {
            "log_level": ("DEBUG", "INFO", "WARNING", "ERROR"),
            "log_format": ("console", "json"),
            "on_partition": ("continue", "kill"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                faults.append(f"{name} must be one of {', '.join(allowed)}")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def renewal(self) -> float:
        """Seconds between two lease renewals."""
        return self.renewal_seconds or self.lease_seconds / 10

    @property
    def database(self) -> str:
        """The effective database URL."""
        return self.database_url or f"sqlite:///{self.home / 'orchestrator.db'}"

    @property
    def logs(self) -> Path:
        """Directory of the attempts' log files."""
        return self.home / "logs"

    @property
    def spools(self) -> Path:
        """Directory of the workers' spools."""
        return self.home / "spools"

    @property
    def host(self) -> str:
        """This machine's name, as workers and masters show it."""
        return socket.gethostname()

    def effective(self) -> dict[str, Any]:
        """Every setting with its effective value, JSON-ready, passwords masked."""
        values = self.model_dump(mode="json")
        values.update(database_url=self.database, renewal_seconds=self.renewal)
        values["redis_url"] = values["redis_url"] or "(private embedded server)"
        values["broker_url"] = values["broker_url"] or values["redis_url"]
        return {name: mask(value) if name.endswith("_url") else value for name, value in values.items()}


def load_settings(environment: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """Return the checked settings.

    Args:
        environment: Read instead of the process's own environment.
        overrides: Values that win over the environment, by setting name.

    Raises:
        SettingsError: One or more settings are wrong; the message lists every fault.
    """
    source = os.environ if environment is None else environment
    prefix = "ORCHESTRATOR_"
    values: dict[str, Any] = {
        name: source[prefix + name.upper()]
        for name in Settings.model_fields
        if source.get(prefix + name.upper())
    }
    values.update(overrides)
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        lines = [
            f"{prefix + str(fault['loc'][0]).upper() if fault['loc'] else 'settings'}: {fault['msg']}"
            for fault in faults
        ]
        lines.extend(
            _contradictions_beside(values, {str(fault["loc"][0]) for fault in faults if fault["loc"]})
        )
        raise SettingsError("\n".join(lines)) from None


def _contradictions_beside(values: Mapping[str, Any], wrong: set[str]) -> list[str]:
    """Return what contradicts itself among the other settings, where single ones are wrong already."""
    if not wrong:
        return []
    try:
        Settings.model_validate({name: value for name, value in values.items() if name not in wrong})
    except ValidationError as error:
        messages = [fault["msg"] for fault in error.errors(include_url=False, include_input=False)]
        told = [part for message in messages for part in message.removeprefix("Value error, ").split("; ")]
        return [f"settings: {one}" for one in told if not any(name in one for name in wrong)]
    return []


def mask(url: str) -> str:
    """Return `url` with its password replaced."""
    try:
        parts = urlsplit(url)
        if parts.password is None:
            return url
    except ValueError:
        return MASK
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:{MASK}@{place}"))
