"""Owns how the senders fit together."""

from orchestrator.alerting.book import AddressBook
from orchestrator.alerting.carrier import Carrier
from orchestrator.alerting.command import CommandSender
from orchestrator.alerting.letter import MailSender
from orchestrator.alerting.webhook import WebhookSender
from orchestrator.config import Settings, inherited_environment, named_settings
from orchestrator.core.alerting import Channel
from orchestrator.secret_source import WorkerSecrets


def build_carrier(settings: Settings) -> Carrier:
    """Return what delivers alerts from this machine; its addresses and secrets come from the environment."""
    secrets = WorkerSecrets(
        given=named_settings("SECRET"), directory=settings.secrets_dir, place="this master"
    )
    return Carrier(
        book=AddressBook(named=named_settings("ALERT"), secrets=secrets),
        senders={
            Channel.WEBHOOK: WebhookSender(),
            Channel.EMAIL: MailSender(url=settings.smtp_url, sender=settings.mail_sender, secrets=secrets),
            Channel.COMMAND: CommandSender(environment=inherited_environment()),
        },
    )
