"""Tests of the simulated checks of outputs: what is drawn, and what the model says of refused outputs."""

from collections.abc import Iterator

from orchestrator.core.definition import TaskDefinition, WorkflowDefinition
from tests.simulation import workload
from tests.simulation.model import Seen, SeenAttempt, judge
from tests.simulation.plan import ALWAYS, PlannedRun, Script
from tests.simulation.workload_checks import CHECK_FAILED, PLAIN, UNKNOWN

REASON = f"check: {PLAIN}"


def checked() -> Iterator[tuple[TaskDefinition, Script]]:
    """Yield the checked tasks of some plans, with their scripts."""
    for plan in map(workload.draw, range(1, 500)):
        for run in plan.runs:
            for task in run.definition.tasks:
                if task.check is not None:
                    yield task, run.scripts[task.name]


def said_of(script: Script, *rows: SeenAttempt, state: str, non_retryable: tuple[str, ...] = ()) -> list[str]:
    """Return what the model says of a run of one checked task with a retry."""
    task = TaskDefinition(
        name="t0", type="noop", retries=1, non_retryable=non_retryable, check={"expression": PLAIN}
    )
    run = PlannedRun(definition=WorkflowDefinition(name="w", tasks=(task,)), scripts={"t0": script})
    return judge(run, Seen(state=state, attempts=rows, stop_was_sent=False))


def row(attempt: int, state: str, *, reason: str | None = None, current: bool = True) -> SeenAttempt:
    """Return an attempt of the task, each before it a failure."""
    return SeenAttempt(
        task="t0", attempt=attempt, state=state, reason=reason, failures=attempt - 1, current=current
    )


def test_checks_are_drawn_that_hold_that_do_not_and_that_say_nothing() -> None:
    """Right and wrong outputs, alerts, checks that end a task at once and such as cannot be worked out."""
    pairs = list(checked())

    assert {script.spoils for _, script in pairs} == {True, False}
    assert {task.check.get("on_false") for task, _ in pairs if task.check} == {None, "alert"}
    assert any(task.non_retryable == (CHECK_FAILED,) for task, _ in pairs)
    assert any(task.check and task.check["expression"] == UNKNOWN for task, _ in pairs)
    assert any("least" in task.params for task, _ in pairs)


def test_refused_outputs_are_failures_with_retries() -> None:
    """The attempt behind one that was refused may bring the right outputs; none may be missing."""
    script = Script(failures=1, spoils=True)
    refused = row(1, "FAILURE", reason=REASON, current=False)

    assert said_of(script, refused, row(2, "SUCCESS"), state="SUCCESS") == []
    assert said_of(script, row(1, "SUCCESS"), state="SUCCESS")
    assert said_of(script, row(1, "FAILURE", reason=REASON), state="FAILURE")


def test_a_failure_has_the_reason_that_its_script_gives_it() -> None:
    """What fails by itself was not refused, and what was refused did not fail by itself."""
    wrong, broken = Script(failures=1, spoils=True), Script(failures=1)
    by_check = row(1, "FAILURE", reason=REASON, current=False)
    by_itself = row(1, "FAILURE", reason="its script says so", current=False)

    assert said_of(wrong, by_itself, row(2, "SUCCESS"), state="SUCCESS")
    assert said_of(broken, by_check, row(2, "SUCCESS"), state="SUCCESS")
    assert said_of(broken, by_itself, row(2, "SUCCESS"), state="SUCCESS") == []


def test_there_are_no_retries_for_checks_where_the_task_says_so() -> None:
    """`non_retryable: [CheckFailed]` ends a task with its first refused outputs."""
    script = Script(failures=ALWAYS, spoils=True)
    first, last = row(1, "FAILURE", reason=REASON, current=False), row(2, "FAILURE", reason=REASON)
    once = row(1, "FAILURE", reason=REASON)

    assert said_of(script, once, state="FAILURE", non_retryable=(CHECK_FAILED,)) == []
    assert said_of(script, first, last, state="FAILURE", non_retryable=(CHECK_FAILED,))
