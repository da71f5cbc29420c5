"""Owns the delivery of an alert by e-mail: the letter, and the SMTP server that takes it."""

import json
import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256
from urllib.parse import unquote, urlsplit

from orchestrator.alerting.book import SecretSource, resolve
from orchestrator.alerting.delivery import Delivery, Undelivered
from orchestrator.alerting.webhook import header_text

LIMIT_S = 10.0
PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSender:
    """Hands letters to an SMTP server.

    Attributes:
        url: `smtp://`, `smtp+starttls://` or `smtps://` with user, password, host and port; or a `secret://name`.
        sender: The address in `From`.
        secrets: Resolves the secrets in the URL.
        tls: Whom to trust; default: the system's authorities.
        limit_s: Longest wait for the server's next answer, in seconds.
    """

    url: str | None = field(repr=False)
    sender: str
    secrets: SecretSource
    tls: ssl.SSLContext | None = None
    limit_s: float = LIMIT_S

    def send(self, delivery: Delivery, address: str) -> None:
        """Send the letter.

        Raises:
            Undelivered: There is no server, or it did not take the letter.
            SecretUnavailable: A secret in the server's URL is not known here.
        """
        if self.url is None:
            raise Undelivered("no mail server: set ORCHESTRATOR_SMTP_URL on the masters")
        letter = compose(delivery, address, self.sender)
        url = resolve(self.url, self.secrets.find)
        try:
            with self._connect(url) as server:
                server.send_message(letter, from_addr=self.sender, to_addrs=[address])
        except smtplib.SMTPAuthenticationError as error:  # its text may repeat what was sent
            raise Undelivered(f"the mail server refused user and password ({error.smtp_code})") from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            text = str(error).replace(url, "…")
            raise Undelivered(f"{type(error).__name__}: {text}"[:300]) from None

    def _connect(self, url: str) -> smtplib.SMTP:
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname:
            raise Undelivered(f"ORCHESTRATOR_SMTP_URL is not {', '.join(f'{one}://…' for one in PORTS)}")
        host, port = parts.hostname, parts.port or PORTS[parts.scheme]
        trust = self.tls or ssl.create_default_context()
        if parts.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=self.limit_s, context=trust)
        else:
            server = smtplib.SMTP(host, port, timeout=self.limit_s)
        try:
            if parts.scheme == "smtp+starttls":
                server.starttls(context=trust)
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
        except BaseException:
            server.close()
            raise
        return server


def compose(delivery: Delivery, address: str, sender: str) -> EmailMessage:
    """Return the letter: the same one, with the same `Message-ID`, in every try."""
    letter = EmailMessage()
    letter["From"], letter["To"] = sender, address
    letter["Subject"] = _subject(delivery)
    letter["Date"] = format_datetime(delivery.at)
    letter["Message-ID"] = _message_id(delivery, sender)
    letter["Idempotency-Key"] = header_text(delivery.key)
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(json.dumps(delivery.message, indent=2, ensure_ascii=False))
    return letter


def _subject(delivery: Delivery) -> str:
    told = delivery.message
    what = str(told.get("event", "alert")).replace("_", " ")
    workflow, run = told.get("workflow"), told.get("workflow_instance_id")
    who = " ".join(part for part in (workflow, f"(run {run})" if run else "") if part)
    return " ".join(f"[orchestrator] {what}{f': {who}' if who else ''}".split())


def _message_id(delivery: Delivery, sender: str) -> str:
    """Return an id that two databases, which count runs alike, do not share: it holds the time as well."""
    digest = sha256(f"{delivery.key} {delivery.at.isoformat()}".encode()).hexdigest()[:40]
    return f"<{digest}@{sender.rpartition('@')[2]}>"
