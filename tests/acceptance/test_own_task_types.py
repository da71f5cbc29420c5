"""A package adds a task type: code, entry point and workflow are those of docs/own-task-types.md."""

import re
from pathlib import Path

import pytest

from tests.acceptance.command_line import Machine
from tests.acceptance.test_up import a_machine

pytestmark = [pytest.mark.acceptance]

PAGE = Path(__file__).parents[2] / "docs" / "own-task-types.md"


def blocks(language: str) -> str:
    """Return the page's code in `language`; its workflow, "``` yaml", is valid where the package is installed."""
    (found,) = re.findall(rf"``` ?{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(found)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine on which the page's package is installed."""
    site = tmp_path / "site"
    about = site / "shouting-1.0.dist-info"
    about.mkdir(parents=True)
    (site / "shouting.py").write_text(blocks("python"))
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: shouting\nVersion: 1.0\n")
    (line,) = re.findall(r'^(shout) = "(.*)"$', blocks("toml"), re.MULTILINE)
    (about / "entry_points.txt").write_text(f"[orchestrator.executors]\n{line[0]} = {line[1]}\n")
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=":")
    return a_machine(tmp_path)


def test_a_package_adds_a_task_type(machine: Machine) -> None:
    """It validates, runs on a worker, and hands its outputs on; without its params it fails with its own words."""
    # Teeth: fails when `tasks.model_of` knows the built-in types only.
    greeting = blocks("yaml")
    silent = greeting.replace(", params: {text: hello}", "").replace("name: greeting", "name: silent")

    done = machine.json("run", machine.write("greeting.yaml", greeting))
    failed = machine.json("run", machine.write("silent.yaml", silent), code=1)

    assert [one["state"] for one in done["tasks"]] == ["SUCCESS", "SUCCESS"]
    assert failed["tasks"][0]["reason"] == "params: text is missing"
