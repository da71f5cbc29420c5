"""The life of a master process: a database that goes away at any moment only makes it wait."""

from datetime import datetime
from typing import Any

from orchestrator.core.changes import Leases
from orchestrator.errors import StoreUnavailable
from orchestrator.master.daemon import Daemon, Plan, Service
from orchestrator.master.ingredients import Limits, Timing

LEASES = Leases(owner="m", epochs={0: 1})


class Slots:
    """Leases that can always be had.

    Attributes:
        given_back: How often they were given back.
    """

    given_back = 0

    def acquire(self, _seconds: float) -> Leases:
        """Give them."""
        return LEASES

    def release(self, _leases: Leases) -> None:
        """Count."""
        self.given_back += 1


def test_a_database_that_goes_away_right_after_the_leases_were_taken_is_waited_for() -> None:
    """The master does not end with a traceback; it begins again.

    Teeth: fails without `except StoreUnavailable` in `Daemon._serve`.
    """
    asked = 0

    def database_now() -> datetime:
        nonlocal asked
        asked += 1
        if asked == 2:
            daemon.stop()
        raise StoreUnavailable("restarting")

    slots: Any = Slots()
    nothing: Any = None
    daemon = Daemon(
        Service(
            ports=nothing,
            leases=slots,
            outbox=nothing,
            carry=nothing,
            everywhere=(),
            database_now=database_now,
            monotonic=lambda: 0.0,
            chance=lambda: 0.0,
            new_ticket=lambda: "",
        ),
        Plan(
            name="m",
            incarnation="m",
            pid=1,
            lease_s=10.0,
            renewal_s=1.0,
            timing=Timing(),
            limits=Limits(),
        ),
    )

    assert daemon.run() == 0
    assert (asked, slots.given_back) == (2, 2)
