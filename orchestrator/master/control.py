"""Owns people's requests about parked lanes: try again now, or bury the event that fails."""

from collections.abc import Sequence
from typing import Any, Protocol

import structlog

from orchestrator.master.inbox import Inbox
from orchestrator.master.request import Request, Wish

log = structlog.get_logger(__name__)


class RequestSource(Protocol):
    """Where people leave requests for masters."""

    def take(self) -> Sequence[dict[str, Any]]:
        """Return and remove what was left: `{"do": …, "workflow_instance_id": …}`."""
        ...


class Control:
    """Passes requests on to the loop.

    Args:
        source: Where they are left.
        inbox: Where they go.
    """

    def __init__(self, source: RequestSource, inbox: Inbox) -> None:
        self._source = source
        self._inbox = inbox

    def step(self) -> None:
        """Look once.

        Raises:
            BrokerUnavailable: Redis is away.
        """
        requests = []
        for document in self._source.take():
            try:
                wish = Wish(document["do"])
                requests.append(Request(wish, int(document["workflow_instance_id"])))
            except (KeyError, TypeError, ValueError):
                log.warning("control.not_understood", request=document)
        if requests:
            self._inbox.put_requests(requests)
