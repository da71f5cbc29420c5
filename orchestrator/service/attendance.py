"""Owns the answer to "will anybody carry this out?", for commands that only write down what is wanted."""

from orchestrator.errors import BrokerUnavailable
from orchestrator.service.backend import Backend
from orchestrator.service.signs import has_master

NO_MASTER = "no master is running, so nothing happens yet; start `orchestrator up`, or `orchestrator master`"


def why_nothing_happens(backend: Backend) -> str | None:
    """Return one line that says why runs do not go on, with the remedy, or `None` when a master lives."""
    settings = backend.settings
    if settings.redis_url is None:
        return NO_MASTER
    try:
        return None if has_master(backend.redis, backend.keys, settings.lost_seconds) else NO_MASTER
    except BrokerUnavailable:
        return "Redis does not answer, so nothing happens yet; start it, or correct ORCHESTRATOR_REDIS_URL"
