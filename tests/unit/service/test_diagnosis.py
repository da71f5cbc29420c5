"""The doctor: every check on its own, each finding with its remedy."""

from pathlib import Path

import fakeredis
import pytest

from orchestrator.authoring.load import load_text
from orchestrator.broker.presence import WorkerBeat
from orchestrator.config import load_settings
from orchestrator.service import definitions
from orchestrator.service.backend import Backend
from orchestrator.service.diagnosis import diagnose
from orchestrator.service.fleet_checks import check_groups, check_workers
from orchestrator.service.redis_checks import check_broker

TWO_GROUPS = """
workflow: {name: w}
tasks:
  - {name: plain, type: noop}
  - {name: special, type: noop, worker_group: gpu}
"""


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


def test_wrong_address_of_redis_is_not_blamed_on_the_database(backend: Backend) -> None:
    """What needs the database alone is still looked at; what needs Redis is unknown."""
    settings = backend.settings.model_copy(update={"redis_url": "http://127.0.0.1:1"})

    told = {finding.check: finding for finding in diagnose(settings)}

    assert told["database"].level == "ok"
    assert told["redis"].level == "error"
    assert told["workers"].message == "unknown"
    assert told["stuck work"].remedy == "mend redis first (see above), then ask again"


@pytest.fixture
def attended(backend: Backend) -> Backend:
    """Give services on an empty database and a Redis."""
    vars(backend)["redis"] = fakeredis.FakeRedis()
    return backend


def beat(backend: Backend, name: str, state: str, *groups: str) -> None:
    """Let a worker show itself."""
    backend.presence.beat(WorkerBeat(name=name, incarnation=name, groups=groups, capacity=4, state=state))


def test_draining_workers_are_no_capacity(attended: Backend) -> None:
    """They live and take nothing: only the others count, and who drains is said."""
    beat(attended, "w1", "online", "default")
    beat(attended, "w2", "draining", "default")

    assert [finding.message for finding in check_workers(attended)] == [
        "1, 4 tasks at the same time; draining: w2"
    ]


def test_nobody_but_draining_workers_is_an_error(attended: Backend) -> None:
    """No task can start; the remedy is to let one take tasks again."""
    beat(attended, "w2", "draining", "default")

    (finding,) = check_workers(attended)

    assert (finding.level, finding.message) == ("error", "none takes tasks; draining: w2")
    assert finding.remedy == "orchestrator workers resume w2"


def test_worker_that_has_lost_the_broker_serves_nobody(attended: Backend) -> None:
    """It lives, and takes nothing: neither capacity nor a server of its group."""
    definitions.deploy(attended, load_text(TWO_GROUPS), online=True)
    beat(attended, "w1", "no_broker", "default", "gpu")

    told = [*check_workers(attended), *check_groups(attended)]

    assert [(finding.level, finding.message) for finding in told] == [
        ("error", "none takes tasks"),
        ("warning", "w1 has lost the broker, and takes no tasks"),
        *(("warning", f"nobody serves '{group}', which workflow 'w' needs") for group in ("default", "gpu")),
    ]
    assert told[0].remedy.startswith("start the broker")


def test_group_that_only_a_draining_worker_serves_is_served_by_nobody(attended: Backend) -> None:
    """Its tasks would wait."""
    definitions.deploy(attended, load_text(TWO_GROUPS), online=True)
    beat(attended, "w1", "online", "default")
    beat(attended, "w2", "draining", "gpu")

    assert [finding.remedy for finding in check_groups(attended)] == ["orchestrator worker --group gpu"]
