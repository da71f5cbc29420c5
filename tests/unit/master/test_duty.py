"""What all duties share: looks in their time, one fenced case after another, and a bug that stops nobody else."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from orchestrator.core.changes import Leases
from orchestrator.errors import BrokerUnavailable, LeaseLost, StoreUnavailable
from orchestrator.master.duty import REST_S, Case, Done, Duty, Found, Lines

LINES = Lines(subject="letter_id", not_ours="letter.not_ours", failed="letter.failed")
LEASES = Leases(owner="me", epochs={1: 5, 2: 7})


@dataclass(slots=True)
class Letters:
    """Letters to be settled, with a clock that is moved by hand; an error stands for a letter that raises it."""

    cases: dict[int, int | None]
    errors: dict[int, Exception] = field(default_factory=dict)
    woken: tuple[int, ...] = ()
    busy_s: float = 0.0
    idle_s: float = 0.0
    now: float = 0.0
    looks: list[list[int]] = field(default_factory=list)
    settled: list[tuple[int, Leases]] = field(default_factory=list)
    rung: list[int] = field(default_factory=list)

    def duty(self, wake: Callable[[int], None] | None = None) -> Duty:
        """Return the part under test."""
        return Duty(LINES, self._look, LEASES, wake or self.rung.append, lambda: self.now)

    def _look(self, slots: Collection[int]) -> Found:
        self.looks.append(sorted(slots))
        cases = [self._case(name, slot) for name, slot in self.cases.items()]
        return Found(cases=cases, busy_s=self.busy_s, idle_s=self.idle_s)

    def _case(self, name: int, slot: int | None) -> Case:
        def settle(leases: Leases) -> Done:
            if name in self.errors:
                raise self.errors[name]
            self.settled.append((name, leases))
            return Done(number=10, woken=self.woken)

        return Case(name=name, slot=slot, settle=settle)

    @property
    def names(self) -> list[int]:
        """Which were settled, in order."""
        return [name for name, _ in self.settled]


def test_each_case_is_fenced_by_its_own_slot() -> None:
    """A transaction speaks for the slot of its case; one that is nobody's in particular, for all that we own."""
    letters = Letters({11: 2, 12: None})

    assert letters.duty().step() == 20

    assert letters.looks == [[1, 2]]
    assert letters.settled == [(11, Leases(owner="me", epochs={2: 7})), (12, LEASES)]


def test_who_finds_a_command_is_woken() -> None:
    """In the order in which the cases were settled."""
    letters = Letters({11: 1, 12: 2}, woken=(3, 4))

    letters.duty().step()

    assert letters.rung == [3, 4, 3, 4]


def test_a_redis_that_is_away_changes_nothing() -> None:
    """What was committed is found a little later; the duty goes on."""

    def wake(slot: int) -> None:
        raise BrokerUnavailable(f"slot {slot}")

    letters = Letters({11: 1, 12: 2}, woken=(3,))

    assert letters.duty(wake).step() == 20


def test_nobody_looks_before_it_is_time() -> None:
    """After a look that found something the next comes sooner than after one that did not."""
    letters = Letters({11: 1}, busy_s=0.5, idle_s=2.0)
    duty = letters.duty()

    looks = []
    for letters.now in (0.0, 0.4, 0.5, 2.4, 2.5):
        duty.step()
        looks.append(len(letters.looks))
        letters.cases = {} if letters.now >= 0.4 else letters.cases

    assert looks == [1, 1, 2, 2, 3]


def test_a_case_with_a_bug_rests_and_the_others_go_on() -> None:
    """It is written to the log, tried again after a while, and counts as nothing to do meanwhile."""
    letters = Letters({11: 1, 12: 2}, errors={11: ValueError("a bug")}, idle_s=5.0)
    duty = letters.duty()

    with capture_logs() as logs:
        assert duty.step() == 10
    letters.cases = {11: 1}
    assert duty.step() == 0
    letters.now = 4.9
    assert duty.step() == 0
    letters.errors.clear()
    letters.now = REST_S
    assert duty.step() == 10

    assert [(line["event"], line["letter_id"]) for line in logs] == [("letter.failed", 11)]
    assert (letters.names, len(letters.looks)) == ([12, 11], 3)


def test_a_lost_lease_is_the_other_masters_business() -> None:
    """It is said, and the case does not rest: the slot may be ours again."""
    letters = Letters({11: 1, 12: 2}, errors={11: LeaseLost([1])})
    duty = letters.duty()

    with capture_logs() as logs:
        assert duty.step() == 10
    letters.errors.clear()
    assert duty.step() == 20

    assert [(line["event"], line["letter_id"], line["slot"]) for line in logs] == [("letter.not_ours", 11, 1)]


def test_a_database_that_is_away_ends_the_step() -> None:
    """Its thread waits and tries again; nothing rests for it, and the next look is not put off."""
    letters = Letters({11: 1, 12: 2}, errors={11: StoreUnavailable("restarting")}, busy_s=60.0)
    duty = letters.duty()

    with pytest.raises(StoreUnavailable):
        duty.step()
    letters.errors.clear()

    assert duty.step() == 20
    assert letters.names == [11, 12]
