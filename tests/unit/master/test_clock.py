"""The master's idea of database time: answers that were long under way say little."""

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.master.clock import DatabaseClock

START = datetime(2026, 1, 1, tzinfo=UTC)


def after(seconds: float) -> datetime:
    """Return the time `seconds` after the start."""
    return START + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("asked_at", "answered_at", "said_s", "known_s"),
    [
        pytest.param(10.0, 10.0, 10.5, 10.5, id="an answer at once counts"),
        pytest.param(10.0, 10.0, 9.5, 9.5, id="also where the database's clock was put back"),
        pytest.param(1.0, 10.0, 1.0, 10.0, id="one that was long under way changes nothing"),
        pytest.param(1.0, 10.0, 12.0, 12.0, id="it must be later than what was said"),
        pytest.param(1.0, 10.0, 0.5, 9.5, id="it cannot be later than the whole way allows"),
    ],
)
def test_an_answer_corrects_as_far_as_it_contradicts(
    asked_at: float, answered_at: float, said_s: float, known_s: float
) -> None:
    """Frozen for nine seconds behind its COMMIT, a master wrote ends that were before the end (seed 7012477)."""
    moment = 0.0
    clock = DatabaseClock(lambda: moment, START)

    moment = answered_at
    clock.learn(after(said_s), asked_at)

    assert clock.now() == after(known_s)
