"""Owns how one master holds every slot: all of them or none."""

from collections.abc import Mapping
from typing import Protocol

import structlog

from orchestrator.core.changes import Leases
from orchestrator.errors import LeaseLost, StoreUnavailable

log = structlog.get_logger(__name__)


class LeaseTable(Protocol):
    """The rows of the leases."""

    def acquire(self, master: str, seconds: float) -> Leases:
        """Take what is free."""
        ...

    def renew(self, leases: Leases, seconds: float) -> Leases:
        """Prolong what is still ours and return it."""
        ...

    def release(self, leases: Leases) -> None:
        """Give back what is still ours."""
        ...

    def holders(self) -> Mapping[int, str]:
        """Return who owns what."""
        ...


class Ownership:
    """The leases of all slots.

    Args:
        table: Where they stand.
        owner: This master's incarnation.
    """

    def __init__(self, table: LeaseTable, owner: str) -> None:
        self._table = table
        self._owner = owner

    def acquire(self, seconds: float) -> Leases | None:
        """Own every slot; `None`, and nothing is kept, while another master owns one.

        Raises:
            StoreUnavailable: The database is away.
        """
        taken = self._table.acquire(self._owner, seconds)
        if not taken.epochs:
            return None
        if any(owner != self._owner for owner in self._table.holders().values()):
            self._table.release(taken)
            return None
        return taken

    def renew(self, leases: Leases, seconds: float) -> None:
        """Prolong all leases.

        Raises:
            LeaseLost: One of them belongs to another master.
            StoreUnavailable: The database is away.
        """
        held = self._table.renew(leases, seconds)
        lost = leases.epochs.keys() - held.epochs.keys()
        if lost:
            raise LeaseLost(lost)

    def release(self, leases: Leases) -> None:
        """Give them back, so that the next master need not wait; a database that is away lets them expire."""
        try:
            self._table.release(leases)
        except StoreUnavailable as error:
            log.warning("lease.not_released", error=str(error))
