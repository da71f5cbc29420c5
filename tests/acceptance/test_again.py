"""Recover, rerun and force-success over the command line, with real processes."""

from collections.abc import Iterator

import pytest

from tests.acceptance.command_line import Machine
from tests.acceptance.test_up import a_machine
from tests.cluster import ROOT, wait_until

pytestmark = [pytest.mark.acceptance]

CHILD = str(ROOT / "examples" / "child_by_hand.yaml")
RECOVER = str(ROOT / "examples" / "recover.yaml")
STUBBORN = """
workflow: {name: stubborn, params: {word: old}}
tasks:
  - {name: says, type: shell, run: 'echo "said=$word" >> "$ORCHESTRATOR_OUTPUT"'}
  - {name: fails, type: shell, run: "false", needs: [says], outputs: {rows: integer}}
  - {name: behind, type: shell, needs: [fails], run: 'echo "seen=$rows" >> "$ORCHESTRATOR_OUTPUT"'}
"""

Attempts = dict[str, list[tuple[int, str, bool]]]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Keep one `up` running; a run that failed before it was there waits in its home."""
    machine = a_machine(tmp_path_factory.mktemp("again"))
    alone = machine.run("run", RECOVER)
    assert alone.returncode == 1, alone.stderr
    assert "start `orchestrator up`" in machine.run("runs", "recover", "1").stderr
    with machine.up():
        yield machine


def attempts(document: dict[str, list[dict[str, object]]]) -> Attempts:
    """Return number, state and whether it is current of each task's attempts."""
    found: Attempts = {}
    for one in document["tasks"]:
        row = (int(str(one["attempt"])), str(one["state"]), bool(one["current"]))
        found.setdefault(str(one["name"]), []).append(row)
    return found


def test_a_run_that_failed_alone_is_recovered_by_the_next_set_up(machine: Machine) -> None:
    """`run`, `runs recover` while nothing runs, `up`: waiting waits for the second end."""
    document = machine.json("runs", "wait", "1", "--timeout", "50")

    assert (document["state"], document["run_count"], document["reason"]) == ("SUCCESS", 2, None)
    assert attempts(document) == {
        "extract": [(1, "SUCCESS", True)],
        "load": [(1, "FAILURE", False), (2, "SUCCESS", True)],
        "report": [(1, "SUCCESS", True)],
    }


def test_a_forced_success_with_outputs_and_a_rerun_with_parameters(machine: Machine) -> None:
    """Outputs that a person gives reach the tasks behind; a rerun hands new parameters to what runs again."""
    submitted = machine.json("submit", machine.write("stubborn.yaml", STUBBORN))
    number = str(submitted["workflow_instance_id"])
    machine.json("runs", "wait", number, "--timeout", "50", code=1)

    machine.json("runs", "force-success", number, "fails", "-p", "rows=7")
    (answer,) = machine.json("runs", "recover", number)
    document = machine.json("runs", "wait", number, "--timeout", "50")
    assert (answer["command"], answer["sent"]) == ("RECOVER", True)
    assert attempts(document)["fails"] == [(1, "FORCED_SUCCESS", True)]
    assert document["outputs"] == {"seen": 7}

    machine.json("runs", "rerun", number, "--only", "says", "-p", "word=new")
    document = machine.json("runs", "wait", number, "--timeout", "50")
    assert attempts(document)["says"] == [(1, "SUCCESS", False), (2, "SUCCESS", True)]
    assert len(attempts(document)["behind"]) == 1
    assert document["params"] == {"word": "new"}
    assert [one["outputs"] for one in document["tasks"] if one["name"] == "says"] == [
        {"said": "old"},
        {"said": "new"},
    ]


def test_a_child_that_people_touch_is_told_and_taken_over(machine: Machine) -> None:
    """The commands of docs/concepts.md: paused by hand, recovered by hand after its parent's end, taken over."""
    number = str(machine.json("submit", CHILD, "-p", "seconds=2")["workflow_instance_id"])
    wait_until(lambda: child_of(machine, number) is not None, seconds=40, what="the child")
    child = str(child_of(machine, number))
    machine.json("runs", "pause", child)
    wait_until(lambda: machine.json("runs", "show", child)["state"] == "PAUSED", seconds=40, what="the pause")

    (held, *_) = machine.json("runs", "explain", number)
    assert (held["task"], held["cause"], held["remedy"]) == (
        "books", "held", f"orchestrator runs resume {child}",
    )  # fmt: skip
    machine.json("runs", "resume", child)
    machine.json("runs", "wait", number, "--timeout", "50", code=1)
    machine.json("runs", "recover", child)
    assert machine.json("runs", "wait", child, "--timeout", "50")["outputs"] == {"line": "closed"}
    assert machine.json("runs", "show", number)["state"] == "FAILURE"
    machine.json("runs", "recover", number)
    document = machine.json("runs", "wait", number, "--timeout", "50")
    assert document["outputs"] == {"text": "closed"}
    assert [one["child"] for one in document["tasks"] if one["name"] == "books"] == [int(child)] * 2
    assert machine.json("runs", "show", child)["run_count"] == 2


def child_of(machine: Machine, number: str) -> int | None:
    """Return the run that the first task of a run has started."""
    tasks = machine.json("runs", "show", number)["tasks"]
    return tasks[0]["child"] if tasks else None


def test_what_does_not_fit_is_refused_with_the_reason(machine: Machine) -> None:
    """Exit code 2 and one line: the state, the name that was meant, what excludes each other."""
    machine.json("runs", "wait", "1", "--timeout", "50")
    for arguments, message in (
        (("recover", "1"), "run 1 is SUCCESS: recover fits only FAILURE, STOPPED"),
        (("rerun", "1", "--from", "laod"), "no task 'laod' that could run (did you mean 'load'?)"),
        (("rerun", "1", "--from", "load", "--only", "load"), "--from and --only exclude each other"),
        (("rerun", "1", "-p", "x=1"), "declares no parameters"),
        (("force-success", "1", "load"), "task 'load' is SUCCESS: force-success fits only FAILURE, KILLED"),
        (("recover", "4711"), "there is no run 4711"),
    ):
        done = machine.run("runs", *arguments)
        assert (done.returncode, message in done.stderr) == (2, True), done.stderr
        assert "Traceback" not in done.stderr
