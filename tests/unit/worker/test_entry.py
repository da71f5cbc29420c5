"""What must be right before a worker or Flower starts: a Redis that can answer, a name that all can carry."""

from pathlib import Path

import pytest

from orchestrator.broker.connection import celery_broker_url
from orchestrator.config import Settings, load_settings
from orchestrator.core.worker_name import check_worker_name
from orchestrator.errors import SettingsError, UserError
from orchestrator.worker.celery_defaults import redis_url
from orchestrator.worker.entry import check_broker, check_redis, refuse


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Give the settings of an empty home."""
    return load_settings({"ORCHESTRATOR_HOME": str(tmp_path)})


def test_home_without_redis_is_refused_with_what_to_do(settings: Settings) -> None:
    """Waiting would be for nothing: no address is known."""
    with pytest.raises(
        SettingsError, match=f"none runs in {settings.home}; start `orchestrator up`, or name"
    ):
        check_redis(settings)


def test_address_that_a_killed_set_up_has_left_is_refused(settings: Settings) -> None:
    """Its Redis has died with it, and the next one has another password."""
    (settings.home / "run").mkdir()
    (settings.home / "run" / "redis.url").write_text(f"unix://{settings.home}/nobody.sock")

    with pytest.raises(SettingsError, match=f"the Redis of {settings.home} does not answer"):
        check_redis(settings)


def test_named_redis_that_is_away_is_waited_for(tmp_path: Path) -> None:
    """Workers may start before their servers."""
    named = {"ORCHESTRATOR_HOME": str(tmp_path), "ORCHESTRATOR_REDIS_URL": f"unix://{tmp_path}/later.sock"}

    check_redis(load_settings(named))


def test_flower_needs_no_redis_beside_another_broker(settings: Settings) -> None:
    """It asks the broker only, whoever has named it."""
    check_broker(settings, "amqp://h//")

    with pytest.raises(SettingsError, match="no Redis"):
        check_broker(settings, celery_broker_url(redis_url(settings)))


def test_refusal_is_one_line_and_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    """As the command line does it."""
    with pytest.raises(SystemExit) as ended:
        refuse(SettingsError("what to do"))

    assert (ended.value.code, capsys.readouterr().err) == (2, "error: what to do\n")


@pytest.mark.parametrize("name", ["w1", "w1-a1b2c3@host", "gpu_2.a+b@host.example.org", "celery@fe80::1"])
def test_usual_names_are_accepted(name: str) -> None:
    """With and without the host."""
    check_worker_name(name)


@pytest.mark.parametrize(
    "name", ["", "a b", "a|b@h", "ä@h", "a%@h", "a@b@c", "a\n@h", "@h", "a/b@h", "w" * 201]
)
def test_names_that_somebody_cannot_carry_are_refused(name: str) -> None:
    """Redis' client names, Celery's node names, claims, files."""
    with pytest.raises(UserError, match="cannot be a worker's name"):
        check_worker_name(name)
