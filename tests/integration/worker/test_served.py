"""What a healthy worker does, with real Celery, a real Redis and real child processes."""

from pathlib import Path

import pytest

from orchestrator.core.event import RejectReason, TaskDelayed, TaskRunning, WorkerReject
from orchestrator.core.status import TaskState
from orchestrator.worker.logs import read_log
from orchestrator.worker.process_groups import is_alive
from tests.integration.worker.stage import Stage, wait_until

pytestmark = pytest.mark.integration


def test_noop_reports_running_and_success(served: Stage) -> None:
    """RUNNING comes before RESULT, both with the ticket, and the verdicts empty the spool."""
    order = served.order("noop")
    served.publish(order)
    result = served.result(order)

    assert result.state is TaskState.SUCCESS
    assert [type(one).__name__ for one in served.about(order)] == ["TaskRunning", "TaskResult"]
    assert {getattr(one, "ticket", "") for one in served.about(order)} == {order.ticket}
    wait_until(lambda: (beat := served.beat()) and beat.spooled == 0 and beat.running == ())


def test_shell_sees_parameters_and_passes_outputs_on(served: Stage) -> None:
    """Parameters are variables; the output file and setValue lines become typed outputs; the log is kept."""
    script = (
        'echo "hi $who"; echo oops >&2; echo "rows=42" >> "$ORCHESTRATOR_OUTPUT"; echo \'${setValue(x=y)}\''
    )
    result = served.run("shell", {"run": script}, params={"who": "it's; rm -rf"})

    assert (result.state, result.exit_code) == (TaskState.SUCCESS, 0)
    assert result.outputs == {"rows": 42, "x": "y"}
    lines = list(read_log(Path(result.log_path or "")))
    assert {(one.stream, one.text) for one in lines} >= {("stdout", "hi it's; rm -rf"), ("stderr", "oops")}


def test_failing_shell_reports_its_exit_code(served: Stage) -> None:
    """`-e` ends a script at its first failing command."""
    result = served.run("shell", {"run": "false\necho never"})

    assert (result.state, result.exit_code, result.error) == (TaskState.FAILURE, 1, "1")
    assert result.reason == "exit code 1"


def test_python_callable_gets_keyword_arguments(served: Stage) -> None:
    """The return value becomes `result`; what it printed, however, stands in the log."""
    result = served.run("python", {"call": "attempts:add"}, params={"a": 1, "b": 2})

    assert result.outputs == {"result": 3}
    texts = [(one.stream, one.text) for one in read_log(Path(result.log_path or ""))]
    assert sorted(texts) == [("stderr", "to stderr"), ("stdout", "adding"), ("stdout", "by descriptor")]


def test_python_failure_names_the_exception(served: Stage) -> None:
    """The reason is one line; the traceback stands in the log."""
    result = served.run("python", {"call": "attempts:fail"})

    assert (result.state, result.reason, result.error) == (TaskState.FAILURE, "ValueError: no", "ValueError")
    assert "second line" in [one.text for one in read_log(Path(result.log_path or ""))]


def test_python_script_has_parameters_as_variables(served: Stage) -> None:
    """An inline script runs in a process of its own."""
    script = (
        "import os\nprint(shops[0])\nopen(os.environ['ORCHESTRATOR_OUTPUT'], 'a').write(f'n={len(shops)}')"
    )
    result = served.run("python", {"script": script}, params={"shops": ["a", "b"]})

    assert result.outputs == {"n": 2}


def test_deferral_is_reported_as_delay(served: Stage) -> None:
    """`Defer(seconds)` ends the hand-over without a result."""
    order = served.order("python", {"call": "attempts:defer"})
    served.publish(order)

    assert served.event(order, TaskDelayed).seconds == 7.0


@pytest.mark.parametrize(
    ("type_", "spec", "reason", "detail"),
    [
        ("nonsense", {}, RejectReason.UNKNOWN_TYPE, "nonsense"),
        ("python", {"call": "no_such_module:f"}, RejectReason.UNKNOWN_CALLABLE, "No module named"),
        ("python", {"call": "attempts:no_such_function"}, RejectReason.UNKNOWN_CALLABLE, "no_such_function"),
    ],
)
def test_unknown_work_is_given_back(
    served: Stage, type_: str, spec: dict[str, str], reason: RejectReason, detail: str
) -> None:
    """What this worker cannot do is rejected with the import error, and never started."""
    order = served.order(type_, spec)
    served.publish(order)
    reject = served.event(order, WorkerReject)

    assert reject.reason is reason
    assert detail in reject.detail
    assert not any(isinstance(one, TaskRunning) for one in served.about(order))


def test_a_second_copy_of_a_message_never_starts(served: Stage) -> None:
    """I19: the claim is taken; the copy is acknowledged and forgotten."""
    order, later = served.order("noop"), served.order("noop")
    served.publish(order)
    served.result(order)
    served.publish(order, later)
    served.result(later)

    assert [type(one).__name__ for one in served.about(order)] == ["TaskRunning", "TaskResult"]


def test_a_message_of_an_older_generation_never_starts(served: Stage) -> None:
    """I19: a message from before a wipe of Redis is forgotten."""
    order, later = served.order("noop"), served.order("noop")
    served.publisher.publish([order], "an older generation")
    served.publish(later)
    served.result(later)

    assert served.about(order) == []


def test_running_task_is_stopped(served: Stage) -> None:
    """A stop request ends the script; RESULT says KILLED."""
    order = served.order("shell", {"run": "echo started; sleep 600"})
    served.publish(order)
    served.event(order, TaskRunning)
    served.stop_attempt(order)

    assert served.result(order, 10).state is TaskState.KILLED


@pytest.mark.parametrize(
    ("type_", "spec"),
    [
        ("shell", {"run": "trap '' TERM; sleep 600"}),
        ("shell", {"run": "sleep 600 & wait"}),
        ("python", {"call": "attempts:linger"}),
        ("python", {"script": "import time; time.sleep(600)"}),
    ],
)
def test_timeout_is_enforced(served: Stage, type_: str, spec: dict[str, str]) -> None:
    """The worker ends the attempt at its time limit; the reason is `timeout`."""
    result = served.run(type_, spec, timeout_s=0.5)

    assert (result.state, result.reason, result.error) == (TaskState.FAILURE, "timeout", "timeout")


def test_warn_is_not_enforced(served: Stage) -> None:
    """`on_timeout: warn` is the master's alert; the worker lets the attempt go on."""
    result = served.run("shell", {"run": "sleep 1"}, timeout_s=0.2, on_timeout="warn")

    assert result.state is TaskState.SUCCESS


def test_dead_child_is_reported_at_once(served: Stage) -> None:
    """A child that is killed is reported by its parent, with the signal's name."""
    result = served.run("python", {"call": "attempts:die"})

    assert (result.state, result.error) == (TaskState.FAILURE, "ChildDied")
    assert result.reason == "worker child died: SIGKILL"
    assert served.run("noop").state is TaskState.SUCCESS


def test_stubborn_callable_is_killed_with_its_children(served: Stage, tmp_path: Path) -> None:
    """TERM, some seconds, KILL of the whole group: the report still comes, and nothing is left."""
    pid_file = tmp_path / "pid"
    spec = {"call": "attempts:linger_stubbornly"}
    order = served.order("python", spec, params={"path": str(pid_file)})
    served.publish(order)
    wait_until(lambda: pid_file.exists() and pid_file.read_text(), what="its child")
    served.stop_attempt(order)

    assert served.result(order).reason == "stopped"
    wait_until(lambda: not is_alive(int(pid_file.read_text())), 5)
