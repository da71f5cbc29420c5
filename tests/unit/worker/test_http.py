"""The http task: what is sent, and what the response means. Nothing goes over a network here."""

import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.core import secrets
from orchestrator.core.deferral import Defer
from orchestrator.secret_source import SecretUnavailable, WorkerSecrets
from orchestrator.worker.capture import ThreadStreams
from orchestrator.worker.executors.http import HttpExecutor, timeout_of
from orchestrator.worker.executors.port import Finished, TaskFailure, Workplace
from orchestrator.worker.executors.retry_after import retry_after_s
from orchestrator.worker.interrupt import Interrupts
from orchestrator.worker.logs import AttemptLog
from orchestrator.worker.vault import Vault
from tests.unit.worker.twins import make_order

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
URL = "https://api.test/orders"
TICKET = "t1"
GIVEN = {"TOKEN": "t0ken/1", "HOOK": "https://hooks.test/T1/B2?k=v"}

Server = Callable[[httpx.Request], httpx.Response]


@dataclass
class Desk:
    """Sends one task's request to a server in this process."""

    directory: Path
    server: Server = field(default=lambda _: httpx.Response(200, json={"id": 7}))
    requests: list[httpx.Request] = field(default_factory=list)

    def run(
        self, spec: Mapping[str, Any], parameters: Mapping[str, Any] | None = None, **fields: Any
    ) -> Finished:
        """Run a task; a secret in `spec` is marked as the master does it."""
        vault = Vault(WorkerSecrets(given=GIVEN), TICKET)
        marked = secrets.mark({"url": URL, **spec}, TICKET)
        order = make_order(type="http", ticket=TICKET, spec=marked, parameters=parameters or {}, **fields)
        log = AttemptLog(self.directory / "log", masks=vault.masks)
        workplace = Workplace(
            scratch=self.directory, source_dir=None, environment={}, log=log, vault=vault,
            capture=ThreadStreams().capture, interrupts=Interrupts(lambda _: False),
        )  # fmt: skip
        executor = HttpExecutor(clock=lambda: NOW, transport=httpx.MockTransport(self._serve))
        try:
            return executor.prepare(vault.opened(order), workplace).run()
        finally:
            log.close()

    def sent(self, spec: Mapping[str, Any], parameters: Mapping[str, Any] | None = None) -> httpx.Request:
        """Run a task and return its request."""
        self.run(spec, parameters)
        return self.requests[-1]

    def log(self) -> str:
        """Return what the attempt wrote."""
        return (self.directory / "log").read_text()

    def _serve(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        return self.server(request)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk whose server answers 200 with `{"id": 7}`."""
    return Desk(tmp_path)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_is_sent(method: str, desk: Desk) -> None:
    """The default is GET."""
    assert desk.sent({"method": method}).method == method
    assert desk.sent({}).method == "GET"


def test_status_body_and_json_are_the_outputs(desk: Desk) -> None:
    """`json` is there when the body is JSON."""
    assert desk.run({}).outputs == {"status": 200, "body": '{"id":7}', "json": {"id": 7}}
    desk.server = lambda _: httpx.Response(200, text="héllo")
    assert desk.run({}).outputs == {"status": 200, "body": "héllo"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://h/${a}/x?q=${a}&r=1", "https://h/a%2Fb%20%26%C3%A9/x?q=a%2Fb%20%26%C3%A9&r=1"),
        ("${base}/v1/${a}", "https://h:8443/api/v1/a%2Fb%20%26%C3%A9"),
        ("https://h/$${a}", "https://h/$%7Ba%7D"),
    ],
)
def test_references_in_urls_are_one_part_of_it(url: str, expected: str, desk: Desk) -> None:
    """Percent-encoded, so that no value adds a path, a parameter or a host; at the beginning a base url."""
    values = {"a": "a/b &é", "base": "https://h:8443/api"}

    assert str(desk.sent({"url": url}, values).url) == expected


def test_query_is_added_to_the_url(desk: Desk) -> None:
    """Lists repeat their name, null is left out, true is `true`; what stands in the url stays."""
    query = {"ids": "${ids}", "none": None, "flag": True, "q": "${q}"}

    url = desk.sent({"url": f"{URL}?a=1", "query": query}, {"ids": [1, 2], "q": "x&y=z"}).url

    assert url.params.multi_items() == [
        ("a", "1"), ("ids", "1"), ("ids", "2"), ("flag", "true"), ("q", "x&y=z")
    ]  # fmt: skip


def test_json_bodies_keep_the_types_of_their_references(desk: Desk) -> None:
    """A list stays a list; inside a longer text it is text."""
    body = {"rows": "${rows}", "text": "n=${n}", "quote": "${quote}"}

    request = desk.sent({"method": "POST", "json": body}, {"rows": [1, "a"], "n": 3, "quote": '"}'})

    assert json.loads(request.content) == {"rows": [1, "a"], "text": "n=3", "quote": '"}'}
    assert request.headers["Content-Type"] == "application/json"


def test_form_bodies_are_encoded(desk: Desk) -> None:
    """As a browser sends them."""
    request = desk.sent({"method": "POST", "form": {"a": "${a}", "b": [1, 2]}}, {"a": "x&y"})

    assert request.content == b"a=x%26y&b=1&b=2"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("text/plain", 'v=a"b&c'),
        ("application/json; charset=utf-8", 'v="a\\"b&c"'),
        ("application/vnd.api+json", 'v="a\\"b&c"'),
        ("application/x-www-form-urlencoded", "v=a%22b%26c"),
    ],
)
def test_raw_bodies_are_encoded_by_their_content_type(content_type: str, expected: str, desk: Desk) -> None:
    """JSON gets JSON, a form gets percent-encoding, everything else the text."""
    spec = {"method": "POST", "headers": {"Content-Type": content_type}, "body": "v=${v}"}

    assert desk.sent(spec, {"v": 'a"b&c'}).content.decode() == expected


def test_headers_are_sent_as_written(desk: Desk) -> None:
    """With references; UTF-8 is allowed, a line break is not."""
    assert desk.sent({"headers": {"X-A": "n=${n}"}}, {"n": 1}).headers["x-a"] == "n=1"
    with pytest.raises(TaskFailure, match="the header 'X-A' holds a line break"):
        desk.run({"headers": {"X-A": "${n}"}}, {"n": "a\r\nX-B: c"})


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        ({"bearer": "secret://token"}, "Bearer t0ken/1"),
        ({"basic": {"user": "${user}", "password": "secret://token"}}, "Basic YWRhOnQwa2VuLzE="),
        ({"basic": {"user": "ada"}}, "Basic YWRhOg=="),
    ],
)
def test_auth_becomes_the_header(auth: Any, header: str, desk: Desk) -> None:
    """Bearer token or user and password."""
    assert desk.sent({"auth": auth}, {"user": "ada"}).headers["authorization"] == header


def test_secrets_are_sent_and_hidden(desk: Desk) -> None:
    """In url, header, query and body; the log names them, and shows nothing of the query."""
    spec = {
        "method": "POST", "url": "secret://hook", "headers": {"X-Key": "Key secret://token"},
        "query": {"t": "secret://token"}, "json": {"t": "secret://token", "u": "${text}"},
    }  # fmt: skip
    request = desk.sent(spec, {"text": "secret://token"})

    assert str(request.url) == "https://hooks.test/T1/B2?k=v&t=t0ken%2F1"
    assert request.headers["x-key"] == "Key t0ken/1"
    assert json.loads(request.content) == {"t": "t0ken/1", "u": "secret://token"}
    assert desk.log() == "POST secret://hook\n200 OK, 8 bytes\n"


def test_an_unknown_secret_is_not_sent(desk: Desk) -> None:
    """Nor is anything else."""
    with pytest.raises(SecretUnavailable, match="'nothing'"):
        desk.run({"headers": {"X": "secret://nothing"}})
    assert desk.requests == []


@pytest.mark.parametrize("url", ["ftp://h/x", "orders", "http://", "https://${host}/", "http://h:port/"])
def test_what_is_no_address_is_a_failure(url: str, desk: Desk) -> None:
    """Before anything is sent."""
    with pytest.raises(TaskFailure, match=r"url|request cannot be made"):
        desk.run({"url": url}, {"host": ""})
    assert desk.requests == []


def test_another_status_is_a_failure_with_the_body(desk: Desk) -> None:
    """The reason names both; `non_retryable` sees the status; the log has the body."""
    desk.server = lambda _: httpx.Response(404, text="no such\norder " + "x" * 5000)

    with pytest.raises(TaskFailure, match="status 404, expected 200 or 201: no such order x") as failure:
        desk.run({"expect_status": [201, 200]})

    assert failure.value.error == "404"
    assert len(failure.value.reason) < 300
    assert "no such\norder" in desk.log()


def test_expected_status_may_be_any(desk: Desk) -> None:
    """Also one that is usually a failure."""
    desk.server = lambda _: httpx.Response(404)

    assert desk.run({"expect_status": [404]}).outputs == {"status": 404, "body": ""}


def test_expected_body_must_stand_in_the_body(desk: Desk) -> None:
    """A text, with references."""
    assert desk.run({"expect_body": '"id":${n}'}, {"n": 7}).outputs["status"] == 200
    with pytest.raises(TaskFailure, match="the body does not hold 'ready'"):
        desk.run({"expect_body": "ready"})


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again_later(status: int, desk: Desk) -> None:
    """A deferral: no worker waits, no retry is used up."""
    desk.server = lambda _: httpx.Response(status, headers={"Retry-After": "120"})

    with pytest.raises(Defer) as defer:
        desk.run({})

    assert defer.value.seconds == 120


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (503, {}),
        (503, {"Retry-After": "soon"}),
        (429, {"Retry-After": "99999999"}),
        (500, {"Retry-After": "1"}),
    ],
)
def test_other_refusals_are_failures(status: int, headers: dict[str, str], desk: Desk) -> None:
    """No time, an unreadable one, more than a day, another status: retries decide."""
    desk.server = lambda _: httpx.Response(status, headers=headers)

    with pytest.raises(TaskFailure, match=f"status {status}"):
        desk.run({})


@pytest.mark.parametrize(
    ("header", "date", "seconds"),
    [
        ("7", None, 7), ("0", None, 1), ("Sun, 01 Nov 2026 12:00:30 GMT", None, 30),
        ("Sun, 01 Nov 2026 11:00:00 GMT", None, 1),
        ("Sun, 01 Nov 2026 15:00:30 GMT", "Sun, 01 Nov 2026 15:00:00 GMT", 30),
        ("later", None, None), (None, None, None), ("-5", None, None), ("1.5", None, None),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(
    header: str | None, date: str | None, seconds: float | None
) -> None:
    """A date counts from the server's own clock where it tells it; at least a second."""
    assert retry_after_s(header, date, NOW) == seconds


def test_large_bodies_are_failures(desk: Desk) -> None:
    """Read no further than outputs may be large."""
    desk.server = lambda _: httpx.Response(200, content=b"x" * 70_000)
    with pytest.raises(TaskFailure, match="response too large: status 200 with more than 65536 bytes"):
        desk.run({})
    desk.server = lambda _: httpx.Response(200, json=["x" * 40_000])
    with pytest.raises(TaskFailure, match="body and json together"):
        desk.run({})


def test_redirects_are_followed_unless_the_task_says_no(desk: Desk) -> None:
    """As browsers do: 303 becomes a GET; without, the redirect is the response."""

    def server(request: httpx.Request) -> httpx.Response:
        done = request.url.path == "/done"
        return httpx.Response(200) if done else httpx.Response(303, headers={"Location": "/done"})

    desk.server = server
    assert desk.run({"method": "POST", "body": "x"}).outputs["status"] == 200
    assert [(one.method, one.url.path) for one in desk.requests] == [("POST", "/orders"), ("GET", "/done")]
    assert desk.run({"redirects": False, "expect_status": [303]}).outputs["status"] == 303


def test_endless_redirects_end(desk: Desk) -> None:
    """After ten of them."""
    desk.server = lambda _: httpx.Response(302, headers={"Location": URL})

    with pytest.raises(TaskFailure, match="more than 10 redirects"):
        desk.run({})


def test_secrets_do_not_follow_a_redirect_to_another_host(desk: Desk) -> None:
    """Neither in headers nor in a body; what is no secret does."""

    def server(request: httpx.Request) -> httpx.Response:
        there = {"Location": "https://evil.test/"}
        return httpx.Response(200) if request.url.host == "evil.test" else httpx.Response(307, headers=there)

    desk.server = server
    request = desk.sent({"headers": {"X-Key": "secret://token", "X-Other": "o"}, "auth": {"bearer": "b"}})
    assert "x-key" not in request.headers
    assert "authorization" not in request.headers
    assert request.headers["x-other"] == "o"
    with pytest.raises(TaskFailure, match=r"redirected to evil.test with a secret in the body"):
        desk.run({"method": "POST", "form": {"t": "secret://token"}})


def test_no_answer_is_a_failure_that_names_the_address(desk: Desk) -> None:
    """The error is httpx' name for it, for `non_retryable`."""

    def server(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused")

    desk.server = server
    with pytest.raises(TaskFailure, match=f"^{URL}: ConnectError: connection refused$") as failure:
        desk.run({"url": f"{URL}?token=x"})
    assert failure.value.error == "ConnectError"


def test_a_bundle_that_cannot_be_read_is_a_failure(desk: Desk) -> None:
    """`verify` may name a file of certificates on the worker."""
    with pytest.raises(TaskFailure, match="cannot send"):
        desk.run({"verify": "/no/such/bundle.pem"})
    bundle = ssl.get_default_verify_paths().cafile
    if bundle:
        assert desk.run({"verify": bundle}).outputs["status"] == 200


@pytest.mark.parametrize(
    ("fields", "read"),
    [({}, 60.0), ({"timeout_s": 90.0}, 95.0), ({"timeout_s": 90.0, "on_timeout": "warn"}, None)],
)
def test_silence_is_bounded_by_the_tasks_timeout(fields: dict[str, Any], read: float | None) -> None:
    """The worker ends the attempt first, with the reason `timeout`; without one a minute of silence ends it."""
    assert timeout_of(make_order(**fields)).read == read


def test_secrets_in_a_response_are_hidden_from_the_log(desk: Desk) -> None:
    """A server that echoes the token does not put it into the log."""
    desk.server = lambda request: httpx.Response(500, text=request.headers["authorization"])

    with pytest.raises(TaskFailure):
        desk.run({"auth": {"bearer": "secret://token"}})

    assert "t0ken" not in desk.log()
