"""Whether and when a failure is tried again."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.definition import TaskDefinition
from orchestrator.core.retry import backoff_s, may_retry, retry_delay_s


def a_task(**fields: object) -> TaskDefinition:
    """Return a task with retries."""
    return TaskDefinition(**{"name": "t", "type": "noop", "retries": 2, "retry_delay_s": 10.0, **fields})  # type: ignore[arg-type] # tests choose any field


def test_as_many_retries_as_declared() -> None:
    """Two retries: after the first and the second failure, not after the third."""
    assert [may_retry(a_task(), failures) for failures in range(3)] == [True, True, False]


@pytest.mark.parametrize("error", ["3", "ValueError", "mypkg.errors.ValueError"])
def test_non_retryable_errors_are_final(error: str) -> None:
    """Exit codes and exception names, with or without their module, end the retries."""
    assert not may_retry(a_task(non_retryable=("3", "ValueError")), 0, error)


def test_other_errors_are_tried_again() -> None:
    """A name that merely ends alike is another error."""
    task = a_task(non_retryable=("Error", "33"))

    assert may_retry(task, 0, "ValueError")
    assert may_retry(task, 0, "3")
    assert may_retry(task, 0, None)


def test_delay_grows_by_the_factor() -> None:
    """`retry_delay · backoff^n`, the first retry after `retry_delay`."""
    task = a_task(retry_backoff=3.0)

    assert [retry_delay_s(task, failures, 0.0) for failures in range(3)] == [10.0, 30.0, 90.0]


def test_delay_never_exceeds_its_cap_even_with_jitter() -> None:
    """`max_retry_delay` is a promise."""
    assert retry_delay_s(a_task(retry_backoff=3.0, max_retry_delay_s=20.0), 5, 0.999) == 20.0


def test_no_delay_stays_no_delay() -> None:
    """Zero is not jittered into a wait."""
    assert retry_delay_s(a_task(retry_delay_s=0.0, retry_backoff=1000.0), 5000, 0.9) == 0.0


@settings(deadline=None)  # the machine may be busy
@given(st.integers(0, 10**6), st.floats(0, 1, exclude_max=True), st.floats(1, 1000), st.floats(0, 10**8))
def test_delay_is_always_a_finite_wait(failures: int, jitter: float, factor: float, first: float) -> None:
    """No number of failures overflows."""
    delay = retry_delay_s(a_task(retry_backoff=factor, retry_delay_s=first), failures, jitter)

    assert math.isfinite(delay)
    assert delay >= 0


def test_masters_own_back_off_doubles_up_to_its_cap() -> None:
    """Used for services that are away."""
    assert [backoff_s(tries, 0.0, first=0.5, cap=5.0) for tries in range(5)] == [0.5, 1.0, 2.0, 4.0, 5.0]
