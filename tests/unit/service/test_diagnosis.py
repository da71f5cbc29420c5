"""The doctor: every check on its own, each finding with its remedy."""

from pathlib import Path

import fakeredis

from orchestrator.config import load_settings
from orchestrator.service.backend import Backend
from orchestrator.service.diagnosis import diagnose
from orchestrator.service.redis_checks import check_broker


def test_dead_services_are_each_named_once_with_the_remedy(tmp_path: Path) -> None:
    """A Redis and a broker that are away do not hide each other, nor the schema that is missing."""
    settings = load_settings(
        {
            "ORCHESTRATOR_HOME": str(tmp_path),
            "ORCHESTRATOR_REDIS_URL": f"unix://{tmp_path}/nobody.sock",
            "ORCHESTRATOR_BROKER_URL": "amqp://guest:secret@127.0.0.1:1//",
        }
    )

    findings = diagnose(settings)

    wrong = {finding.check: finding for finding in findings if finding.level == "error"}
    assert "orchestrator db upgrade" in wrong["database"].message
    assert wrong["redis"].unreachable
    assert "ORCHESTRATOR_REDIS_URL" in wrong["redis"].remedy
    assert wrong["broker"].unreachable
    assert "secret" not in wrong["broker"].message
    assert len([finding for finding in findings if finding.unreachable]) == 2


def test_without_redis_nothing_that_needs_it_looks_fine(backend: Backend) -> None:
    """No Redis: the broker that it is has failed too, and whoever lives there, or work that waits, is unknown."""
    findings = diagnose(backend.settings)

    told = {finding.check: finding for finding in findings}
    assert told["database"].level == "ok"
    assert told["redis"].unreachable
    assert told["broker"].unreachable
    assert "ORCHESTRATOR_REDIS_URL" in told["broker"].remedy
    for name in ("masters", "workers", "worker groups", "events", "parked runs", "stuck work"):
        assert (told[name].level, told[name].message) == ("warning", "unknown")
        assert "redis" in told[name].remedy


def test_broker_that_is_the_redis_answers_with_it(backend: Backend) -> None:
    """By default Celery uses the same Redis."""
    vars(backend)["redis"] = fakeredis.FakeRedis()

    assert [finding.level for finding in check_broker(backend)] == ["ok"]
