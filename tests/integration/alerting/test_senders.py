"""The three channels on a real HTTP server, a real SMTP server and real programs."""

import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from email.policy import default
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from orchestrator.alerting.command import CommandSender
from orchestrator.alerting.delivery import Delivery, Undelivered
from orchestrator.alerting.letter import MailSender
from orchestrator.alerting.webhook import WebhookSender
from orchestrator.config import inherited_environment
from orchestrator.core.alerting import Channel, Target
from orchestrator.embedded.living import group_lives
from orchestrator.secret_source import WorkerSecrets
from tests.cluster import wait_until

pytestmark = pytest.mark.integration

KEY = "task_failure:17:1:übung[3]:1"
DELIVERY = Delivery(
    key=KEY,
    at=datetime(2026, 11, 1, 2, tzinfo=UTC),
    target=Target(channel=Channel.WEBHOOK, address="ops"),
    message={
        "event": "task_failure",
        "key": KEY,
        "workflow": "nächtlich\nBcc: x@y.z",
        "workflow_instance_id": 17,
    },
)
SECRETS = WorkerSecrets(given={"MAIL": "pass word"})


# --- webhook ---------------------------------------------------------------------------------


@dataclass(slots=True)
class Hook:
    """An HTTP server that keeps what is posted to it and answers as told."""

    url: str = ""
    status: int = 204
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    silent: bool = False
    release: Event = field(default_factory=Event)


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A server on a free port of the loopback."""
    kept = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            if kept.silent:
                kept.release.wait(10)
            self.send_response(kept.status)
            self.send_header("Location", f"{kept.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=partial(server.serve_forever, 0.05), name="hook", daemon=True)
    thread.start()
    yield kept
    kept.release.set()
    server.shutdown()
    server.server_close()


def test_a_webhook_gets_json_and_the_key(hook: Hook) -> None:
    """The key as a header can hold it, the same one in every try."""
    for _ in range(2):
        WebhookSender().send(DELIVERY, hook.url)

    (headers, body), again = hook.got
    assert json.loads(body) == DELIVERY.message
    assert headers["idempotency-key"] == "task_failure:17:1:%C3%BCbung[3]:1"
    assert again[0]["idempotency-key"] == headers["idempotency-key"]
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize("status", [302, 404, 503])
def test_any_other_answer_is_no_arrival(hook: Hook, status: int) -> None:
    """Redirects are not followed: they may lead anywhere."""
    hook.status = status

    with pytest.raises(Undelivered, match=f"HTTP {status}"):
        WebhookSender().send(DELIVERY, hook.url)
    assert len(hook.got) == 1


def test_a_server_that_says_nothing_is_given_up_soon(hook: Hook) -> None:
    """Within the time limit."""
    hook.silent = True

    with pytest.raises(Undelivered, match="ReadTimeout"):
        WebhookSender(limit_s=0.1).send(DELIVERY, hook.url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/token", "http://[::bad/token", "http://x\x00/token"])
def test_a_server_that_is_away_is_named_without_its_url(url: str) -> None:
    """The URL may be a secret."""
    with pytest.raises(Undelivered) as caught:
        WebhookSender(limit_s=1).send(DELIVERY, url)
    assert "token" not in str(caught.value)


# --- e-mail ----------------------------------------------------------------------------------


@dataclass(slots=True)
class Office:
    """An SMTP server's mailbox; it answers a letter with `answer`."""

    answer: str = "250 OK"
    letters: list[Message] = field(default_factory=list)
    receivers: list[list[str]] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's name
        """Keep a letter."""
        if self.answer.startswith("250"):
            self.letters.append(message_from_bytes(envelope.content, policy=default))
            self.receivers.append(envelope.rcpt_tos)
        return self.answer


@dataclass(slots=True)
class Post:
    """A running SMTP server."""

    office: Office
    port: int

    def sender(self, url: str = "smtp://127.0.0.1", tls: ssl.SSLContext | None = None) -> MailSender:
        """Return a sender to this server."""
        return MailSender(
            url=f"{url}:{self.port}", sender="orchestrator@example.org", secrets=SECRETS, tls=tls, limit_s=5
        )


def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    """Let one user in."""
    known = isinstance(data, LoginPassword) and (data.login, data.password) == (b"me@here", b"pass/word")
    return AuthResult(success=known, handled=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1, and its key, in one file."""
    directory = tmp_path_factory.mktemp("tls")
    key, crt, both = (directory / name for name in ("key.pem", "crt.pem", "both.pem"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", crt],
        check=True, capture_output=True,
    )  # fmt: skip
    both.write_text(key.read_text() + crt.read_text())
    return both


class Server(Controller):
    """An SMTP server on a free port of the loopback."""

    def _trigger_server(self) -> None:
        """Ask the server whether it answers, on the port that it got."""
        server: Any = self.server
        self.port = server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]  # the library has no types there


def serve(**options: Any) -> tuple[Server, Post]:
    """Start a server."""
    office = Office()
    server = Server(office, hostname="127.0.0.1", port=0, ready_timeout=10, **options)
    server.start()
    return server, Post(office=office, port=server.port)


@pytest.fixture
def post() -> Iterator[Post]:
    """A server without TLS."""
    controller, running = serve()
    yield running
    controller.stop()


@pytest.fixture
def safe_post(certificate: Path) -> Iterator[Post]:
    """A server that wants TLS by STARTTLS, and then a user."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    controller, running = serve(
        tls_context=context, require_starttls=True, auth_required=True, authenticator=authenticate
    )
    yield running
    controller.stop()


def test_a_letter_has_the_same_message_id_in_every_try(post: Post) -> None:
    """And no header that a workflow's name could bring."""
    for _ in range(2):
        post.sender().send(DELIVERY, "team@example.org")

    first, second = post.office.letters
    assert post.office.receivers == [["team@example.org"]] * 2
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Message-ID"].endswith("@example.org>")
    assert first["Idempotency-Key"] == "task_failure:17:1:%C3%BCbung[3]:1"
    assert first["Subject"] == "[orchestrator] task failure: nächtlich Bcc: x@y.z (run 17)"
    assert first["Bcc"] is None
    assert first["Auto-Submitted"] == "auto-generated"
    assert json.loads(str(first.get_payload(decode=True), "utf-8")) == DELIVERY.message  # type: ignore[arg-type]  # bytes


def test_another_database_with_the_same_numbers_writes_another_message_id(post: Post) -> None:
    """Else a mailbox of both would drop one of the letters."""
    other = Delivery(
        key=KEY, at=datetime(2026, 11, 2, tzinfo=UTC), target=DELIVERY.target, message=DELIVERY.message
    )
    for one in (DELIVERY, other):
        post.sender().send(one, "team@example.org")

    first, second = post.office.letters
    assert first["Message-ID"] != second["Message-ID"]


def test_starttls_and_login(safe_post: Post, certificate: Path) -> None:
    """User and password go out encrypted, percent-decoded; the server's certificate is checked."""
    trust = ssl.create_default_context(cafile=str(certificate))
    url = "smtp+starttls://me%40here:pass%2Fword@127.0.0.1"

    safe_post.sender(url, trust).send(DELIVERY, "a@b.c")

    assert len(safe_post.office.letters) == 1
    with pytest.raises(Undelivered, match="certificate"):
        safe_post.sender(url).send(DELIVERY, "a@b.c")
    with pytest.raises(Undelivered, match=r"refused user and password \(535\)"):
        safe_post.sender(url.replace("word", "hidden"), trust).send(DELIVERY, "a@b.c")
    assert len(safe_post.office.letters) == 1


@pytest.mark.parametrize("answer", ["451 later", "554 no"])
def test_a_letter_that_is_refused_did_not_arrive(post: Post, answer: str) -> None:
    """With the server's words."""
    post.office.answer = answer

    with pytest.raises(Undelivered, match=answer.partition(" ")[2]):
        post.sender().send(DELIVERY, "a@b.c")


def test_without_a_mail_server_the_setting_is_named() -> None:
    """Nothing is sent, and `doctor` can say why."""
    sender = MailSender(url=None, sender="a@b.c", secrets=SECRETS)

    with pytest.raises(Undelivered, match="ORCHESTRATOR_SMTP_URL"):
        sender.send(DELIVERY, "a@b.c")


def test_a_mail_server_that_is_away_did_not_take_it() -> None:
    """A refused connection is one failed try."""
    sender = MailSender(url="smtp://u:hidden@127.0.0.1:1", sender="a@b.c", secrets=SECRETS, limit_s=2)

    with pytest.raises(Undelivered, match="refused") as caught:
        sender.send(DELIVERY, "a@b.c")
    assert "hidden" not in str(caught.value)


# --- command ---------------------------------------------------------------------------------


def command(directory: Path, text: str) -> str:
    """Return the command line of a Python program."""
    path = directory / "program.py"
    path.write_text(text)
    return f"{sys.executable} {path}"


def test_a_command_gets_json_and_the_key(tmp_path: Path) -> None:
    """Without a shell, without the master's own settings."""
    told = tmp_path / "told.json"
    line = command(
        tmp_path,
        "import json, os, sys\n"
        f"json.dump([json.load(sys.stdin), dict(os.environ), sys.argv[1:]], open({str(told)!r}, 'w'))\n",
    )
    environment = {**inherited_environment(), "PLACE": "here"}

    CommandSender(environment=environment).send(DELIVERY, f"{line} --to 'a b' '$HOME'")

    message, seen, arguments = json.loads(told.read_text())
    assert message == DELIVERY.message
    assert (seen["ORCHESTRATOR_IDEMPOTENCY_KEY"], seen["PLACE"]) == (KEY, "here")
    assert [name for name in seen if name.startswith("ORCHESTRATOR_")] == ["ORCHESTRATOR_IDEMPOTENCY_KEY"]
    assert arguments == ["--to", "a b", "$HOME"]


def test_a_command_that_fails_did_not_deliver(tmp_path: Path) -> None:
    """Any exit but 0; one that does not read its input is judged by its exit alone."""
    sender = CommandSender(environment=inherited_environment())

    with pytest.raises(Undelivered, match="exit 3"):
        sender.send(DELIVERY, command(tmp_path, "raise SystemExit(3)"))
    sender.send(DELIVERY, command(tmp_path, "import os; os.close(0)"))


@pytest.mark.parametrize("line", ["/no/such/hidden", "'hidden"])
def test_a_command_that_cannot_be_started_is_named_without_its_words(line: str) -> None:
    """A word of it may be a secret."""
    with pytest.raises(Undelivered, match="cannot be started") as caught:
        CommandSender(environment={}).send(DELIVERY, line)
    assert "hidden" not in str(caught.value)


def test_a_command_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    """Its whole process group, also one that ignores TERM."""
    told = tmp_path / "group"
    line = command(
        tmp_path,
        "import os, signal, subprocess, sys, threading\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "subprocess.Popen([sys.executable, '-c', 'import threading; threading.Event().wait(60)'])\n"
        f"open({str(told)!r}, 'w').write(str(os.getpgid(0)))\n"
        "threading.Event().wait(60)\n",
    )
    sender = CommandSender(environment=inherited_environment(), limit_s=1.5, grace_s=0.1)

    with pytest.raises(Undelivered, match=r"still running after 1\.5 s"):
        sender.send(DELIVERY, line)

    group = int(told.read_text())
    wait_until(lambda: not group_lives(group), seconds=5, what="the whole group has ended")
