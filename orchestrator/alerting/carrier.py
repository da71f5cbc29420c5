"""Owns the choice of the channel: one delivery goes out through the sender of its target."""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.alerting.book import AddressBook
from orchestrator.alerting.delivery import Delivery, Sender
from orchestrator.core.alerting import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """Delivers alerts.

    Attributes:
        book: Knows the targets' addresses.
        senders: One for each channel.
    """

    book: AddressBook
    senders: Mapping[Channel, Sender]

    def carry(self, delivery: Delivery) -> None:
        """Deliver, within a limited time.

        Raises:
            Undelivered: It did not arrive, as far as one can know.
            SecretUnavailable: A secret in the target's address is not known here.
        """
        self.senders[delivery.target.channel].send(delivery, self.book.address(delivery.target))
