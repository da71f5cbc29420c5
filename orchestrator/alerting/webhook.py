"""Owns the delivery of an alert to a URL: one POST of JSON."""

from urllib.parse import quote

import httpx

from orchestrator.alerting.delivery import Delivery, Undelivered

LIMIT_S = 10.0


class WebhookSender:
    """Posts alerts; any 2xx is an arrival, redirects are not followed.

    Args:
        limit_s: Longest wait for a connection, and for the next part of an answer, in seconds.
    """

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s

    def send(self, delivery: Delivery, address: str) -> None:
        """Post the alert; the answer's body is not read.

        Raises:
            Undelivered: The server is away, too slow, or answered with something else than 2xx.
        """
        headers = {"Idempotency-Key": header_text(delivery.key), "User-Agent": "orchestrator"}
        try:
            with httpx.stream(
                "POST", address, json=dict(delivery.message), headers=headers, timeout=self._limit_s
            ) as answer:
                status, arrived = answer.status_code, answer.is_success
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # what the library says may hold the URL, which may be a secret
            raise Undelivered(f"{type(error).__name__}: {str(error).replace(address, '…')}"[:300]) from None
        if not arrived:
            raise Undelivered(f"HTTP {status}")


def header_text(key: str) -> str:
    """Return `key` as a header can hold it: what is not printable ASCII is percent-encoded."""
    return quote(key, safe="!\"#$&'()*+,/:;<=>?@[]^`{|}~")
