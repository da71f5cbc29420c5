"""Owns the doctor: every check, each on its own, so that one dead service does not hide the rest."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.config import Settings
from orchestrator.errors import BrokerUnavailable, StoreUnavailable, UserError
from orchestrator.service.alert_checks import check_alerts
from orchestrator.service.backend import Backend
from orchestrator.service.database_checks import check_database, check_stuck_work
from orchestrator.service.findings import Finding, error, unreachable, warning
from orchestrator.service.fleet_checks import check_groups, check_masters, check_parked, check_workers
from orchestrator.service.pool_checks import check_pools
from orchestrator.service.redis_checks import START_REDIS, check_broker, check_redis, check_streams
from orchestrator.service.turn_checks import check_turns

Look = Callable[[Backend], Iterator[Finding]]


class Service(StrEnum):
    """What a check needs an answer from."""

    DATABASE = "database"
    REDIS = "redis"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of the doctor.

    Attributes:
        name: What is looked at.
        look: Yields what it finds.
        needs: Without these services it can say nothing, however well the rest looks.
    """

    name: str
    look: Look
    needs: tuple[Service, ...] = ()


START_DATABASE = "start it, or correct ORCHESTRATOR_DATABASE_URL"
BOTH = (Service.DATABASE, Service.REDIS)
CHECKS = (
    Check(name="database", look=check_database, needs=(Service.DATABASE,)),
    Check(name="redis", look=check_redis, needs=(Service.REDIS,)),
    Check(name="broker", look=check_broker),
    Check(name="masters", look=check_masters, needs=(Service.REDIS,)),
    Check(name="workers", look=check_workers, needs=(Service.REDIS,)),
    Check(name="worker groups", look=check_groups, needs=BOTH),
    Check(name="events", look=check_streams, needs=(Service.REDIS,)),
    Check(name="parked runs", look=check_parked, needs=(Service.REDIS,)),
    Check(name="stuck work", look=check_stuck_work, needs=BOTH),
    Check(name="pools", look=check_pools, needs=(Service.DATABASE,)),
    Check(name="turns", look=check_turns, needs=(Service.DATABASE,)),
    Check(name="alerts", look=check_alerts, needs=(Service.DATABASE,)),
)


def diagnose(settings: Settings) -> list[Finding]:
    """Return what every check found; never raises because of what is wrong."""
    backend = Backend(settings)
    try:
        return list(_findings(backend))
    finally:
        backend.close()


def _findings(backend: Backend) -> Iterator[Finding]:
    """Run the checks; a service that did not answer is accused once, and what needs it is said to be unknown."""
    away: set[Service] = set()
    for check in CHECKS:
        missing = [service for service in check.needs if service in away]
        if missing:
            yield _unknown(check.name, missing)
            continue
        try:
            yield from check.look(backend)
        except StoreUnavailable as problem:
            away.add(Service.DATABASE)
            yield unreachable(check.name, str(problem), START_DATABASE)
        except BrokerUnavailable as problem:
            away.add(Service.REDIS)
            yield unreachable(check.name, str(problem), START_REDIS)
        except (
            UserError
        ) as problem:  # a wrong address, a schema of another version: its message says what to do
            away.update(check.needs)
            yield error(check.name, str(problem), "")


def _unknown(name: str, missing: Sequence[Service]) -> Finding:
    return warning(name, "unknown", f"mend {' and '.join(missing)} first (see above), then ask again")
