"""Owns the doctor: every check, each on its own, so that one dead service does not hide the rest."""

from collections.abc import Callable, Iterator

from orchestrator.config import Settings
from orchestrator.errors import BrokerUnavailable, StoreUnavailable, UserError
from orchestrator.service.backend import Backend
from orchestrator.service.database_checks import check_database, check_stuck_work
from orchestrator.service.findings import Finding, error, unreachable
from orchestrator.service.fleet_checks import check_groups, check_masters, check_parked, check_workers
from orchestrator.service.redis_checks import check_broker, check_redis, check_streams

Check = Callable[[Backend], Iterator[Finding]]

CHECKS: dict[str, Check] = {
    "database": check_database,
    "redis": check_redis,
    "broker": check_broker,
    "masters": check_masters,
    "workers": check_workers,
    "worker groups": check_groups,
    "events": check_streams,
    "parked runs": check_parked,
    "stuck work": check_stuck_work,
}


def diagnose(settings: Settings) -> list[Finding]:
    """Return what every check found; never raises because of what is wrong."""
    backend = Backend(settings)
    try:
        return list(_findings(backend))
    finally:
        backend.close()


def _findings(backend: Backend) -> Iterator[Finding]:
    """Run the checks; a service that did not answer is named once, and its other checks are left out."""
    away: set[type[Exception]] = set()
    for name, check in CHECKS.items():
        try:
            yield from check(backend)
        except (StoreUnavailable, BrokerUnavailable) as problem:
            if type(problem) not in away:
                away.add(type(problem))
                yield unreachable(name, str(problem), _remedy(problem))
        except UserError as problem:
            if type(problem) not in away:
                away.add(type(problem))
                yield error(name, str(problem), "")


def _remedy(problem: Exception) -> str:
    name = "ORCHESTRATOR_DATABASE_URL" if isinstance(problem, StoreUnavailable) else "ORCHESTRATOR_REDIS_URL"
    return f"start it, or correct {name}"
