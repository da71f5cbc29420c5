"""Owns the settings: the only reader of the environment; it checks itself and reports every fault at once."""

import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from orchestrator import crash
from orchestrator.core.alerting import Target, is_mail_address, read_target
from orchestrator.errors import SettingsError
from orchestrator.setting_faults import PREFIX, SettingFault, fault_of, guess, mask, several_urls, variable
from orchestrator.setting_paths import PATHS, absolute, absolute_database

SOCKET_SCHEMES = ("unix", "redis+socket")
REDIS_SCHEMES = ("redis", "rediss", *SOCKET_SCHEMES)
DATABASES = ("sqlite", "postgresql")

REDIS_RULE = "a Redis URL: redis://HOST:PORT/NUMBER, rediss://…, unix:///PATH or redis+socket:///PATH"
DATABASE_RULE = "a database URL: sqlite:////PATH or postgresql+psycopg2://USER@HOST/NAME"
SMTP_SCHEMES = ("smtp", "smtp+starttls", "smtps")
SMTP_RULE = "a mail server: smtp+starttls://USER:PASSWORD@HOST:PORT, smtps://…, smtp://… or secret://NAME"
BROKER_RULE = "a broker URL: amqp://USER@HOST//, redis://HOST:PORT/NUMBER or another one of Celery's"


class Settings(BaseModel):
    """All settings, from environment variables `ORCHESTRATOR_<NAME>`. Durations are in seconds."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False, validate_default=True)

    home: Path = Field(Path("~/.orchestrator"), description="Embedded database, private Redis, logs, spools.")
    database_url: str | None = Field(None, description="SQLAlchemy URL; default: SQLite in the home.")
    redis_url: str | None = Field(None, description="Redis URL; default: a private embedded server.")
    broker_url: str | None = Field(None, description="Celery broker URL; default: the Redis URL.")
    key_prefix: str = Field("orchestrator:", description="Prefix of every Redis key, Celery's included.")
    source_dir: Path | None = Field(None, description="Where workers find the definitions' files.")
    bundles: Path | None = Field(
        None, description="Where workers find bundles; default: bundles in the home."
    )
    bundle_days: float = Field(
        30.0, ge=0, description="How long an unpacked bundle stays unused; 0: for ever."
    )
    secrets_dir: Path | None = Field(None, description="Directory with one file for each secret.")
    alerts: str | None = Field(None, description="Whom to tell what concerns the deployment: webhook:NAME, …")
    smtp_url: str | None = Field(
        None, description="Mail server of alerts: smtp://, smtp+starttls://, smtps://."
    )
    smtp_sender: str | None = Field(
        None, description="Sender of alerts; default: orchestrator@<this machine>."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level shown.")
    log_format: Literal["console", "json"] = Field("console", description="For people or for programs.")

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
    map_limit: int = Field(1000, ge=1, le=10_000, description="Most elements of a map.")
    worker_cpu_limit: float = Field(0.0, ge=0, description="Reject above this load per core; 0: off.")
    worker_memory_limit: float = Field(0.98, gt=0, le=1, description="Reject above this memory use.")

    on_partition: Literal["continue", "kill"] = Field("continue", description="Tasks cut off from Redis.")
    connect_timeout_seconds: float = Field(5.0, gt=0, description="Database and Redis connect timeout.")
    crash_at: str | None = Field(None, description="<point>[:N], for tests: end the process there.")

    @field_validator(*PATHS)
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return absolute(value) if value is not None else None

    @field_validator("database_url")
    @classmethod
    def _complete(cls, value: str | None) -> str | None:
        for short in ("postgresql://", "postgres://"):
            if value and value.startswith(short):
                return "postgresql+psycopg2://" + value.removeprefix(short)
        return absolute_database(value) if value else value

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str | None) -> str | None:
        if value is not None and _parts(value, DATABASE_RULE).scheme.partition("+")[0] not in DATABASES:
            raise ValueError(DATABASE_RULE)
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: str | None) -> str | None:
        if value is not None and not _leads_to_redis(_parts(value, REDIS_RULE)):
            raise ValueError(REDIS_RULE)
        return value

    @field_validator("broker_url")
    @classmethod
    def _broker(cls, value: str | None) -> str | None:
        for url in several_urls(value or ""):
            _parts(url, BROKER_RULE)
        return value

    @field_validator("alerts")
    @classmethod
    def _known_channels(cls, value: str | None) -> str | None:
        for word in _words(value):
            read_target(word)
        return value

    @field_validator("smtp_url")
    @classmethod
    def _mail_server(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith("secret://"):
            parts = _parts(value, SMTP_RULE)
            if parts.scheme not in SMTP_SCHEMES or not parts.hostname:
                raise ValueError(SMTP_RULE)
        return value

    @field_validator("smtp_sender")
    @classmethod
    def _mail_address(cls, value: str | None) -> str | None:
        if value is not None and not is_mail_address(value):
            raise ValueError("an address: orchestrator@example.org")
        return value

    @field_validator("crash_at")
    @classmethod
    def _known_point(cls, value: str | None) -> str | None:
        try:
            crash.parse(value or crash.POINTS[0])
        except ValueError:
            meant = guess((value or "").partition(":")[0], crash.POINTS)
            raise ValueError(f"<point>[:N]{meant}; points: {', '.join(crash.POINTS)}") from None
        return value

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
    def bundle_directory(self) -> Path:
        """Directory in which this machine's workers find bundles."""
        return self.bundles or self.home / "bundles"

    @property
    def unpacked(self) -> Path:
        """Directory of the bundles that were archives, by the hash of their content."""
        return self.home / "unpacked"

    @property
    def host(self) -> str:
        """This machine's name, as workers and masters show it."""
        return socket.gethostname()

    @property
    def alert_targets(self) -> tuple[Target, ...]:
        """Whom to tell what concerns the deployment."""
        return tuple(read_target(word) for word in _words(self.alerts))

    @property
    def mail_sender(self) -> str:
        """The address that alerts come from."""
        return self.smtp_sender or f"orchestrator@{self.host}"

    def effective(self) -> dict[str, Any]:
        """Every setting with its effective value, JSON-ready, passwords masked."""
        values = self.model_dump(mode="json")
        values.update(database_url=self.database, renewal_seconds=self.renewal)
        values.update(smtp_sender=self.mail_sender, bundles=str(self.bundle_directory))
        values["redis_url"] = values["redis_url"] or "(private embedded server)"
        values["broker_url"] = values["broker_url"] or values["redis_url"]
        values["alerts"] = (
            " ".join(f"{one.channel}:{mask(one.address)}" for one in self.alert_targets) or None
        )
        return {
            name: mask(value) if value and name.endswith("_url") else value for name, value in values.items()
        }


def load_settings(environment: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """Return the checked settings; an empty variable is as good as none.

    Args:
        environment: Read instead of the process's own environment.
        overrides: Values that win over the environment, by setting name.

    Raises:
        SettingsError: One or more settings are wrong; the message lists every fault, one a line.
    """
    source = os.environ if environment is None else environment
    given = {name: source.get(variable(name), "").strip() for name in Settings.model_fields}
    values: dict[str, Any] = {**{name: text for name, text in given.items() if text}, **overrides}
    faults = _faults_of_values(values)
    wrong = {name for fault in faults for name in fault.names}
    settings = Settings.model_validate({name: value for name, value in values.items() if name not in wrong})
    faults.extend(fault for fault in _contradictions(settings) if wrong.isdisjoint(fault.names))
    if faults:
        raise SettingsError("\n".join(str(fault) for fault in faults))
    return settings


def setting_name(name: str) -> str:
    """Return how the name of a connection or secret is spelled in an environment variable's name."""
    return "".join(one if one.isalnum() else "_" for one in name).upper()


def named_settings(kind: str, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the settings `ORCHESTRATOR_<KIND>_<NAME>`, by NAME.

    Args:
        kind: `CONNECTION`, `SECRET` or `ALERT`.
        environment: Read instead of the process's own environment.
    """
    source = os.environ if environment is None else environment
    prefix = f"ORCHESTRATOR_{kind}_"
    return {name.removeprefix(prefix): value for name, value in source.items() if name.startswith(prefix)}


def inherited_environment() -> dict[str, str]:
    """Return the environment without our own variables, some of which are secrets: what other programs get."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def _words(text: str | None) -> list[str]:
    """Return the words of a list with commas or blanks in between."""
    return (text or "").replace(",", " ").split()


def _faults_of_values(values: Mapping[str, Any]) -> list[SettingFault]:
    try:
        Settings.model_validate(values)
    except ValidationError as error:
        return [fault_of(found, Settings.model_fields) for found in error.errors(include_url=False)]
    return []


def _contradictions(settings: Settings) -> Iterator[SettingFault]:
    """Yield what is right by itself and wrong beside another setting (INTERFACE section 7)."""
    lease, lost, timeout = settings.lease_seconds, settings.lost_seconds, settings.dispatch_timeout_seconds
    if settings.renewal >= lease / 3:
        yield _limit("renewal_seconds", settings.renewal, "below", "lease_seconds", 3, lease)
    if settings.heartbeat_seconds >= lost / 3:
        yield _limit("heartbeat_seconds", settings.heartbeat_seconds, "below", "lost_seconds", 3, lost)
    if settings.resend_seconds > timeout / 2:
        yield _limit(
            "resend_seconds", settings.resend_seconds, "at most", "dispatch_timeout_seconds", 2, timeout
        )


def _limit(name: str, value: float, relation: str, other: str, part: int, whole: float) -> SettingFault:
    limit = f"{relation} {variable(other)} / {part} ({whole:g} / {part} = {whole / part:.3g})"
    return SettingFault(names=(name, other), value=value, rule=limit)


def _parts(url: str, rule: str) -> SplitResult:
    """Return the parts of a URL; raise ValueError with the rule if it is none, or its port is no number."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError(rule) from None
    if not parts.scheme or "://" not in url:
        raise ValueError(rule)
    return parts


def _leads_to_redis(parts: SplitResult) -> bool:
    if parts.scheme in SOCKET_SCHEMES:
        return len(parts.path) > 1
    number = parts.path.strip("/")
    return parts.scheme in REDIS_SCHEMES and (not number or number.isdecimal())
