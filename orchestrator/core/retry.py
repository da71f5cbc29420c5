"""Owns the decision whether a failure is tried again, and after how long. Randomness is an argument."""

from orchestrator.core.definition import TaskDefinition

JITTER = 0.1
LONGEST_S = 366 * 24 * 3600.0


def may_retry(task: TaskDefinition, failures: int, error: str | None = None) -> bool:
    """Return whether a failed attempt gets a successor.

    Args:
        task: The task that failed.
        failures: Failures *before* this one since the last fresh start (`TaskInstance.failures`).
        error: Exception name, dotted or not, or the exit code as text, as the RESULT reported it.
    """
    return failures < task.retries and not _is_final(task, error)


def retry_delay_s(task: TaskDefinition, failures: int, jitter: float) -> float:
    """Return the seconds to wait: `retry_delay · retry_backoff^failures`, plus jitter, never above the cap.

    Args:
        task: The task that failed.
        failures: Failures *before* this one, so that the first retry waits `retry_delay`.
        jitter: A random number in [0, 1).
    """
    cap = LONGEST_S if task.max_retry_delay_s is None else min(task.max_retry_delay_s, LONGEST_S)
    return backoff_s(failures, jitter, first=task.retry_delay_s, cap=cap, factor=task.retry_backoff)


def backoff_s(tries: int, jitter: float, first: float, cap: float, factor: float = 2.0) -> float:
    """Return the seconds before try number `tries` + 1: `first · factor^tries`, jittered, at most `cap`.

    Args:
        tries: Tries that failed so far, from 0.
        jitter: A random number in [0, 1); adds up to 10 %.
        first: Seconds after the first failure.
        cap: Most seconds ever.
        factor: How much longer each wait is than the one before.
    """
    return min(_grown(first, factor, tries) * (1 + JITTER * jitter), cap)


def _grown(first: float, factor: float, exponent: int) -> float:
    if first == 0:
        return 0.0
    try:
        return first * factor**exponent
    except OverflowError:
        return LONGEST_S


def _is_final(task: TaskDefinition, error: str | None) -> bool:
    if error is None:
        return False
    return error in task.non_retryable or error.rpartition(".")[2] in task.non_retryable
