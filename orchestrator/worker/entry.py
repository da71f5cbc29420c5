"""Owns what must be right before a Celery program of this project starts, and how it ends if it is not."""

import sys
from typing import Any, NoReturn

from orchestrator.broker.connection import celery_broker_url, open_redis, redis_errors
from orchestrator.config import Settings
from orchestrator.errors import BrokerUnavailable, OrchestratorError, SettingsError
from orchestrator.worker.celery_defaults import embedded_redis_url, redis_url

MISTAKE = 2
"""The exit code of a user's mistake: a supervisor does not start such a worker again."""


def check_redis(settings: Settings) -> None:
    """Return if the settings name a Redis, be it away for the moment, or the home's private one answers.

    Raises:
        SettingsError: Nobody would ever answer.
    """
    remedy = "start `orchestrator up`, or name a Redis in ORCHESTRATOR_REDIS_URL"
    if settings.redis_url is not None:
        return
    if embedded_redis_url(settings.home) is None:
        raise SettingsError(f"no Redis: none is named, and none runs in {settings.home}; {remedy}")
    try:
        with redis_errors(), open_redis(redis_url(settings)) as client:
            client.ping()
    except BrokerUnavailable as error:
        raise SettingsError(f"the Redis of {settings.home} does not answer ({error}); {remedy}") from None


def check_broker(settings: Settings, broker_url: Any) -> None:
    """Return if the broker is another one than the home's private Redis, or that one answers.

    Args:
        settings: Those of the program.
        broker_url: What Celery uses, after the deployment's configuration.

    Raises:
        SettingsError: Nobody would ever answer.
    """
    if broker_url == celery_broker_url(redis_url(settings)):
        check_redis(settings)


def refuse(error: OrchestratorError) -> NoReturn:
    """End the program with one line that says why: Celery would print a traceback, or go on."""
    sys.stderr.write(f"error: {error}\n")
    raise SystemExit(MISTAKE)
