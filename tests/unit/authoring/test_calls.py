"""Which workflow calls which: endless calls are refused, and a file is about what nobody in it calls."""

from pathlib import Path

import pytest

from orchestrator.authoring.calls import called_by, without_callers
from orchestrator.authoring.decorators import task, workflow
from orchestrator.authoring.load import load_file, load_text
from orchestrator.errors import DefinitionError
from orchestrator.service.files import read_files, what_it_is_about

PARENT = "workflow: {name: parent}\ntasks: [{name: s, type: sub_workflow, workflow: kid}]\n"
KID = "workflow: {name: kid}\ntasks: [{name: x, type: noop}]\n"
BACK = "workflow: {name: kid}\ntasks: [{name: s, type: sub_workflow, workflow: parent}]\n"


@task
def count(day: str) -> int:
    """Count."""
    return len(day)


@workflow
def inner(day: str) -> None:
    """Be a child."""
    count(day)


@workflow
def middle(day: str) -> None:
    """Be a child with a child."""
    inner(day=day)


@workflow
def outer(day: str = "monday") -> None:
    """Be the parent of two."""
    middle(day=day)
    inner(day=day)


def test_calls_and_callers_are_found() -> None:
    """A file is about the one workflow that no other of it calls."""
    kid, parent = load_text(f"{KID}---\n{PARENT}")

    assert (called_by(parent), called_by(kid)) == (("kid",), ())
    assert without_callers([kid, parent]) == [parent]
    assert what_it_is_about([kid, parent]) is parent
    assert what_it_is_about([kid, load_text(KID.replace("kid", "other"))[0]]) is None


def test_endless_calls_in_one_file_are_a_fault_with_its_line() -> None:
    """The cycle is printed."""
    with pytest.raises(
        DefinitionError, match=r"flow.yaml:1: .*without end: (parent -> kid|kid -> parent) -> "
    ) as caught:
        load_text(f"{PARENT}---\n{BACK}", "flow.yaml")

    assert len(caught.value.faults) == 1


def test_endless_calls_between_files_are_a_fault(tmp_path: Path) -> None:
    """They are read together."""
    files = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    for file, text in zip(files, (PARENT, BACK), strict=True):
        file.write_text(text)

    with pytest.raises(DefinitionError, match="call each other without end"):
        read_files(files)


def test_called_workflows_come_with_their_caller() -> None:
    """Each once, however often and from how deep it is called."""
    assert [one.name for one in outer.definitions()] == ["outer", "middle", "inner"]


def test_python_file_brings_the_workflows_that_it_imports_and_calls(tmp_path: Path) -> None:
    """A child may stand in another module."""
    file = tmp_path / "brings_children.py"
    file.write_text(
        "from orchestrator import workflow\n"
        f"from {__name__} import inner, middle\n"
        "@workflow\n"
        "def mine(day: str = 'x') -> None:\n"
        "    inner(day=day)\n"
    )

    assert [one.name for one in load_file(file)] == ["mine", "inner"]
