"""Tasks with a bundle on a real worker: where they run, what they import, and what becomes of a new version."""

import zipfile
from collections.abc import Mapping
from typing import Any

import pytest

from orchestrator.core.event import RejectReason, TaskDelayed, TaskResult, TaskRunning, WorkerReject
from orchestrator.core.status import TaskState
from tests.integration.worker.stage import Stage

pytestmark = pytest.mark.integration

STEPS = """
import os
from orchestrator import Defer

def where(word):
    print("said", word)
    return {"word": word, "cwd": os.getcwd(), "bundle": os.environ["ORCHESTRATOR_BUNDLE"]}

def fail():
    raise LookupError("no such shop")

def later():
    raise Defer(7)

def ends():
    os._exit(3)
"""


def ship(served: Stage, name: str, files: Mapping[str, str]) -> None:
    """Put an archive of these files into the worker's directory of bundles, in one step."""
    directory = served.home / "bundles"
    directory.mkdir(exist_ok=True)
    with zipfile.ZipFile(directory / "new", "w") as archive:
        for member, content in files.items():
            archive.writestr(member, content)
    (directory / "new").rename(directory / f"{name}.zip")


def run(served: Stage, type_: str, spec: dict[str, Any], **fields: Any) -> TaskResult:
    """Return how a task of the bundle `shop` ended."""
    ship(served, "shop", {"steps.py": STEPS, "data/orders.csv": "1\n2\n", "own.py": "x = 1"})
    return served.run(type_, spec, bundle="shop", **fields)


def test_a_shell_task_runs_in_its_bundle(served: Stage) -> None:
    """The directory is its working directory, is named, and is first for what Python it starts."""
    script = (
        'echo "lines=$(wc -l < data/orders.csv)" >> "$ORCHESTRATOR_OUTPUT"\n'
        'test "$PWD" = "$ORCHESTRATOR_BUNDLE"\ncd /\n'
        'echo "own=$(python3 -c "import own; print(own.x)")" >> "$ORCHESTRATOR_OUTPUT"'
    )

    assert run(served, "shell", {"run": script}).outputs == {"lines": 2, "own": 1}


def test_cwd_is_relative_to_the_bundle(served: Stage) -> None:
    """And not to the definition's file."""
    result = run(served, "shell", {"run": 'echo "n=$(ls | wc -l)" >> "$ORCHESTRATOR_OUTPUT"', "cwd": "data"})

    assert result.outputs == {"n": 1}


def test_a_script_imports_from_its_bundle(served: Stage) -> None:
    """Beside the file there is no other module of this name."""
    script = "import os, own\nopen(os.environ['ORCHESTRATOR_OUTPUT'], 'w').write(f'x={own.x}')"

    assert run(served, "python", {"script": script}).outputs == {"x": 1}


def test_a_callable_runs_in_its_bundle(served: Stage) -> None:
    """With its arguments, its outputs, and what it prints in its log."""
    result = run(served, "python", {"call": "steps:where"}, params={"word": "Ümlaut"})

    assert result.outputs["word"] == "Ümlaut"
    assert result.outputs["cwd"] == result.outputs["bundle"]
    assert result.outputs["cwd"].startswith(str(served.home / "unpacked"))


@pytest.mark.parametrize(
    ("function", "error", "reason"),
    [
        ("fail", "LookupError", "LookupError: no such shop"),
        ("ends", "3", "exit code 3"),
        ("nothing", "UnknownCallable", "steps:nothing"),
    ],
)
def test_a_callable_of_a_bundle_fails_by_name(served: Stage, function: str, error: str, reason: str) -> None:
    """What `non_retryable` is compared with, and the reason for people."""
    result = run(served, "python", {"call": f"steps:{function}"})

    assert (result.state, result.error) == (TaskState.FAILURE, error)
    assert reason in (result.reason or "")


def test_a_callable_of_a_bundle_may_defer(served: Stage) -> None:
    """As one inside the worker."""
    ship(served, "shop", {"steps.py": STEPS})
    order = served.order("python", {"call": "steps:later"}, bundle="shop")
    served.publish(order)

    assert served.event(order, TaskDelayed).seconds == 7.0


def test_a_new_version_is_imported_by_the_next_attempt(served: Stage) -> None:
    """Although the worker's children have called the old one, and another bundle has a module of this name."""
    found = {}
    for name, value in (("one", 1), ("one", 2), ("two", 3)):
        ship(served, name, {"versioned.py": f"def f(): return {{'n': {value}}}"})
        calls = [served.run("python", {"call": "versioned:f"}, bundle=name) for _ in range(3)]
        found[value] = {call.outputs["n"] for call in calls}

    assert found == {1: {1}, 2: {2}, 3: {3}}


def test_a_worker_without_the_bundle_gives_the_attempt_back(served: Stage) -> None:
    """Another worker may have it; nothing starts, and the detail says where was looked."""
    order = served.order("shell", {"run": "true"}, bundle="nosuch")
    served.publish(order)
    reject = served.event(order, WorkerReject)

    assert reject.reason is RejectReason.UNKNOWN_BUNDLE
    assert "bundle 'nosuch': no directory nosuch, nosuch.zip or nosuch.tar.gz" in reject.detail
    assert str(served.home / "bundles") in reject.detail
    assert "w1@test" in reject.detail
    assert not any(isinstance(one, TaskRunning) for one in served.about(order))
