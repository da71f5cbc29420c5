"""Owns the Celery settings that the protocol needs; a deployment's `celeryconfig.py` overrides them."""

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from celery.utils.imports import cwd_in_path

from orchestrator.broker.connection import celery_broker_url
from orchestrator.config import Settings

VISIBILITY_TIMEOUT_S = 3600
DEFAULT_QUEUE = "default"
CONFIG_MODULE = "celeryconfig"


def embedded_redis_url(home: Path) -> str | None:
    """Return the URL of the private Redis that runs for `home`, or `None` when none runs."""
    try:
        return (home / "run" / "redis.url").read_text("utf-8").strip() or None
    except OSError:
        return None


def redis_url(settings: Settings) -> str:
    """Return the Redis URL to use: the one of the settings, else that of the home's private server.

    When no private server runs, the URL leads to a socket in the home that does not exist: every use fails with
    that path in its message, and nothing outside the home is touched.
    """
    nowhere = f"unix://{settings.home / 'run' / 'redis-is-not-running.sock'}?db=0"
    return settings.redis_url or embedded_redis_url(settings.home) or nowhere


def defaults(settings: Settings) -> dict[str, Any]:
    """Return the Celery settings of PROTOCOL section 3, each measured."""
    return {
        "broker_url": celery_broker_url(settings.broker_url or redis_url(settings)),
        "broker_transport_options": transport_options(settings),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,  # a worker waits for its broker as long as it takes
        # only JSON: a message can never be a program
        "task_serializer": "json",
        "result_serializer": "json",
        "event_serializer": "json",
        "accept_content": ["json"],
        # no results: with a dead backend no task body ever ran
        "result_backend": None,
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        "task_track_started": False,
        # one order at a time, given back when its child dies before the claim
        "task_default_queue": DEFAULT_QUEUE,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        "worker_direct": True,
        # attempts go on while the broker is away: their reports wait in the spool
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # Flower reads these
        "worker_send_task_events": True,
        "task_send_sent_event": False,
        # what attempts print belongs to their logs, and logging belongs to the deployment
        "worker_redirect_stdouts": False,
        "worker_hijack_root_logger": False,
        "enable_utc": True,
        "timezone": "UTC",
    }


def transport_options(settings: Settings) -> dict[str, Any]:
    """Return the options of the Redis transport; every client of the broker needs the same, Flower too."""
    return {
        "visibility_timeout": VISIBILITY_TIMEOUT_S,
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
        "health_check_interval": 10,
        "socket_timeout": 30,
        "socket_connect_timeout": settings.connect_timeout_seconds,
        "socket_keepalive": True,
        "global_keyprefix": settings.key_prefix,
    }


def deployment_config() -> dict[str, Any]:
    """Return the settings in `celeryconfig.py` of the working directory or the path; none without such a file."""
    with cwd_in_path():
        if importlib.util.find_spec(CONFIG_MODULE) is None:
            return {}
        module = importlib.import_module(CONFIG_MODULE)
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
