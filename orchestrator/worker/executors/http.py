"""Owns the task type `http`: one request, and what its response means."""

import json
import ssl
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import httpx

from orchestrator.core import parameters
from orchestrator.core.deferral import Defer
from orchestrator.core.order import Order
from orchestrator.worker.executors.http_request import Prepared, build_request
from orchestrator.worker.executors.port import Finished, TaskFailure, Workplace
from orchestrator.worker.executors.retry_after import retry_after_s
from orchestrator.worker.interrupt import Interrupted
from orchestrator.worker.logs import STDOUT
from orchestrator.worker.outputs import LIMIT_BYTES, checked

CONNECT_S = 10.0
SILENCE_S = 60.0
"""How long a server may be silent when the task has no timeout."""

BEYOND_TIMEOUT_S = 5.0
MAX_REDIRECTS = 10
MAX_RETRY_AFTER_S = 24 * 3600.0
BUSY = frozenset({429, 503})
SHOWN = 200
LOGGED = 2000

Clock = Callable[[], datetime]


class HttpExecutor:
    """Sends requests from the worker's own process; whatever a server does, the attempt can be ended.

    Args:
        clock: The present time, aware.
        transport: Carries requests, in tests; `None`: the network.
    """

    def __init__(
        self,
        clock: Clock = lambda: datetime.now(UTC),
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._clock = clock
        self._transport = transport

    def prepare(self, order: Order, workplace: Workplace) -> "HttpWork":
        """Make the request.

        Raises:
            TaskFailure: It cannot be made.
            SecretUnavailable: This worker does not have a secret that it needs.
        """
        prepared = build_request(order, workplace.vault)
        return HttpWork(order, workplace, prepared, self._open, self._clock)

    def _open(self, order: Order) -> httpx.Client:
        return httpx.Client(
            timeout=timeout_of(order),
            verify=_verification(order.spec.get("verify", True)),
            transport=self._transport,
        )


class HttpWork:
    """One request, ready to be sent.

    Args:
        order: The task.
        workplace: Where it runs.
        prepared: What is sent.
        open_client: Opens a client for the order.
        clock: The present time, aware.
    """

    process_group = None

    def __init__(
        self,
        order: Order,
        workplace: Workplace,
        prepared: Prepared,
        open_client: Callable[[Order], httpx.Client],
        clock: Clock,
    ) -> None:
        self._order = order
        self._workplace = workplace
        self._prepared = prepared
        self._open_client = open_client
        self._clock = clock

    def run(self) -> Finished:
        """Send the request, read the response, and judge it.

        Raises:
            TaskFailure: Nobody answered, or not what was expected, or with more than outputs can hold.
            Defer: The server is busy and says when to come back.
        """
        try:
            with self._guarded():
                response = self._send()
        except httpx.HTTPError as error:
            raise self._failure(error) from None
        except (OSError, ValueError) as error:  # a certificate file that cannot be read
            raise TaskFailure(f"cannot send: {error}", error=type(error).__name__) from None
        except Interrupted:
            raise TaskFailure("interrupted", error="Interrupted") from None
        return self._judged(response)

    def discard(self) -> None:
        """Nothing was opened."""

    def _guarded(self) -> AbstractContextManager[None]:
        return self._workplace.interrupts.guarding(self._order.id)

    def _send(self) -> httpx.Response:
        with self._open_client(self._order) as client:
            request, shown = self._prepared.request, self._prepared.shown_url
            for _ in range(MAX_REDIRECTS + 1):
                self._say(f"{request.method} {shown}")
                response = _read(client.send(request, stream=True))
                self._say(f"{response.status_code} {response.reason_phrase}, {len(response.content)} bytes")
                if response.next_request is None or not self._order.spec.get("redirects", True):
                    return response
                request = self._next(request, response.next_request)
                shown = str(request.url.copy_with(query=None, fragment=None))
        raise TaskFailure(f"more than {MAX_REDIRECTS} redirects", error="TooManyRedirects")

    def _next(self, request: httpx.Request, following: httpx.Request) -> httpx.Request:
        """Return the request of a redirect; secrets stay with the host that they were meant for."""
        if _origin(request.url) == _origin(following.url):
            return following
        vault = self._workplace.vault
        for name, value in list(following.headers.items()):
            if vault.holds(value):
                del following.headers[name]
        if vault.holds(following.read().decode("utf-8", "replace")):
            raise TaskFailure(
                f"redirected to {following.url.host} with a secret in the body, which is not sent there",
                error="InsecureRedirect",
            )
        return following

    def _judged(self, response: httpx.Response) -> Finished:
        spec = self._order.spec
        expected = spec.get("expect_status") or [200]
        if response.status_code not in expected:
            self._say(response.text[:LOGGED])
            self._defer_if_busy(response)
            raise TaskFailure(_unexpected(response, expected), error=str(response.status_code))
        wanted = self._expected_body()
        if wanted is not None and wanted not in response.text:
            self._say(response.text[:LOGGED])
            raise TaskFailure(f"the body does not hold '{wanted[:SHOWN]}'", error="UnexpectedBody")
        outputs = {"status": response.status_code, "body": response.text, **_json_of(response.text)}
        return Finished(outputs=_fitting(outputs, self._order.outputs))

    def _expected_body(self) -> str | None:
        spec, vault = self._order.spec, self._workplace.vault
        if spec.get("expect_body") is None:
            return None
        return parameters.as_text(
            vault.resolve(parameters.resolve(spec["expect_body"], _Lookup(self._order)))
        )

    def _defer_if_busy(self, response: httpx.Response) -> None:
        if response.status_code not in BUSY:
            return
        headers = response.headers
        seconds = retry_after_s(headers.get("Retry-After"), headers.get("Date"), self._clock())
        if seconds is not None and seconds <= MAX_RETRY_AFTER_S:
            self._say(f"the server is busy; again in {seconds:g} s")
            raise Defer(seconds)

    def _failure(self, error: httpx.HTTPError) -> TaskFailure:
        name, text = type(error).__name__, str(error) or "no answer"
        return TaskFailure(f"{self._prepared.shown_url}: {name}: {text}", error=name)

    def _say(self, line: str) -> None:
        self._workplace.log.append(STDOUT, f"{line}\n".encode("utf-8", "replace"))


class _Lookup:
    """The values of an order's references."""

    def __init__(self, order: Order) -> None:
        self._values = order.parameters

    def value(self, path: str) -> Any:
        """Return what `path` names."""
        return self._values[path]


def _verification(verify: object) -> ssl.SSLContext | bool:
    """Return how a server's certificate is checked: against the usual authorities, a bundle of one's own, not."""
    return ssl.create_default_context(cafile=verify) if isinstance(verify, str) else bool(verify)


def timeout_of(order: Order) -> httpx.Timeout:
    """Return how long a server may be silent: a little longer than the task may take, which ends it first."""
    if order.timeout_s is None:
        return httpx.Timeout(SILENCE_S, connect=CONNECT_S)
    if order.on_timeout != "fail":
        return httpx.Timeout(None, connect=CONNECT_S)
    return httpx.Timeout(order.timeout_s + BEYOND_TIMEOUT_S)


def _read(response: httpx.Response) -> httpx.Response:
    """Return `response` with its body, which was decoded piece by piece and is not larger than outputs may be."""
    pieces, size = [], 0
    try:
        for piece in response.iter_bytes():
            pieces.append(piece)
            size += len(piece)
            if size > LIMIT_BYTES:
                raise TaskFailure(
                    f"response too large: status {response.status_code} with more than {LIMIT_BYTES} bytes",
                    error="ResponseTooLarge",
                )
    finally:
        response.close()
    headers = {name: value for name, value in response.headers.items() if name != "content-encoding"}
    whole = httpx.Response(response.status_code, headers=headers, content=b"".join(pieces))
    whole.next_request = response.next_request
    return whole


def _unexpected(response: httpx.Response, expected: Collection[int]) -> str:
    wanted = " or ".join(str(one) for one in sorted(expected))
    shown = " ".join(response.text.split())[:SHOWN]
    return f"status {response.status_code}, expected {wanted}" + (f": {shown}" if shown else "")


def _json_of(text: str) -> dict[str, Any]:
    """Return the output `json` if `text` is JSON, else nothing."""
    try:
        return {"json": json.loads(text)}
    except (ValueError, RecursionError):
        return {}


def _fitting(outputs: Mapping[str, Any], declared: Mapping[str, str]) -> dict[str, Any]:
    """Return the outputs; where `body` and `json` together are too large, say so in the user's words."""
    try:
        return checked(outputs, declared)
    except TaskFailure as failure:
        if "too large" not in failure.reason or "json" not in outputs:
            raise
        raise TaskFailure(
            f"response too large: body and json together have more than {LIMIT_BYTES} bytes",
            error="ResponseTooLarge",
        ) from None


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
