"""The doorbell: whose masters are told that something waits for a run."""

from orchestrator.errors import BrokerUnavailable
from orchestrator.master.doorbell import Doorbell


class Bells:
    """Notes which slots were rung at."""

    def __init__(self, *, broken: bool = False) -> None:
        self.rung: list[int] = []
        self.looks = 0
        self._broken = broken

    def wake(self, slot: int) -> None:
        """Ring at another master's."""
        if self._broken:
            raise BrokerUnavailable("away")
        self.rung.append(slot)

    def look_soon(self) -> None:
        """Look at home."""
        self.looks += 1


def nobody(_workflows: object) -> set[int]:
    """Say that no turn concerns anybody."""
    return set()


def test_own_runs_are_looked_for_and_others_rung_at() -> None:
    """Each slot once."""
    bells = Bells()
    Doorbell(bells, lambda: 4, {0, 1}, bells.look_soon, nobody).ring([1, 2, 3, 6, 7])

    assert (bells.rung, bells.looks) == ([2, 3], 1)


def test_nobody_is_asked_when_nothing_was_sent() -> None:
    """Not even for the number of slots."""
    bells = Bells()
    Doorbell(bells, lambda: 1 // 0, {0}, bells.look_soon, nobody).ring([])

    assert (bells.rung, bells.looks) == ([], 0)


def test_bell_that_does_not_work_harms_nobody() -> None:
    """Masters look by themselves, every two seconds."""
    bells = Bells(broken=True)
    Doorbell(bells, lambda: 4, {0}, bells.look_soon, nobody).ring([1])

    assert bells.looks == 0


def test_whoever_a_turn_concerns_is_rung_at() -> None:
    """Who is next is settled in the transaction: the table says who it was."""
    bells = Bells()
    asked: list[object] = []

    def addressed(workflows: object) -> set[int]:
        asked.append(workflows)
        return {3, 5}

    Doorbell(bells, lambda: 4, {0, 1}, bells.look_soon, addressed).ring([], {"w"})

    assert (bells.rung, bells.looks > 0, asked) == ([3], True, [{"w"}])


def test_master_of_all_slots_asks_nobody_whom_a_turn_concerns() -> None:
    """It looks at the table anyway."""
    bells = Bells()
    Doorbell(bells, lambda: 1, {0}, bells.look_soon, lambda _workflows: [1 // 0]).ring([], {"w"})

    assert (bells.rung, bells.looks) == ([], 1)
