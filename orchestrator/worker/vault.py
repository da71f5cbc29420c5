"""Owns the secrets of one attempt: it resolves those that its order marks, and hides them in what comes out."""

from dataclasses import replace
from typing import TypeVar

from orchestrator.core import secrets
from orchestrator.core.order import Order
from orchestrator.secret_source import SecretSource, WorkerSecrets
from orchestrator.worker.masking import Masks

T = TypeVar("T")


class Vault:
    """Gives an attempt the secrets that it names; whatever it gave is hidden from then on.

    Args:
        source: Where this worker finds secrets.
        ticket: The ticket of the dispatch, with which the master marked them.
    """

    def __init__(self, source: SecretSource | None = None, ticket: str = "") -> None:
        self._source = source or WorkerSecrets()
        self._ticket = ticket
        self.masks = Masks()

    def reveal(self, name: str) -> str:
        """Return the secret `name`.

        Raises:
            SecretUnavailable: This worker does not have it.
        """
        value = self._source.find(name)
        self.masks.add(value)
        return value

    def resolve(self, value: T) -> T:
        """Return `value` with its marked secrets replaced, in lists and maps at any depth.

        Raises:
            SecretUnavailable: This worker does not have one of them.
        """
        resolved: T = secrets.resolve(value, self._ticket, self.reveal)
        return resolved

    def opened(self, order: Order) -> Order:
        """Return `order` with the secrets in its parameters replaced; its `spec` is left to the executor.

        Raises:
            SecretUnavailable: This worker does not have one of them.
        """
        return replace(order, params=self.resolve(order.params), parameters=self.resolve(order.parameters))

    def hide(self, *texts: str) -> None:
        """Hide texts that are not secrets by name, such as the password in a connection's URL."""
        for text in texts:
            self.masks.add(text)

    def masked(self, value: T) -> T:
        """Return `value` with the mask where a hidden text stands, in lists and maps at any depth."""
        hidden: T = self.masks.masked(value)
        return hidden

    def holds(self, value: object) -> bool:
        """Return whether a hidden text stands anywhere in `value`."""
        return bool(self.masks.masked(value) != value)
