"""Which workflow of a file `run` starts."""

from pathlib import Path

import pytest

from orchestrator.authoring.load import load_text
from orchestrator.cli.running import RunRequest, choose
from orchestrator.errors import UserError

KID = "workflow: {name: kid}\ntasks: [{name: x, type: noop}]\n"
PARENT = "workflow: {name: parent}\ntasks: [{name: s, type: sub_workflow, workflow: kid}]\n"
FOUND = load_text(f"{KID}---\n{PARENT}")


def test_workflow_that_no_other_calls_is_run() -> None:
    """A child alone is run when it is named."""
    assert choose(FOUND, RunRequest(file=Path("f.yaml"))).name == "parent"
    assert choose(FOUND, RunRequest(file=Path("f.yaml"), workflow="kid")).name == "kid"


def test_several_that_nobody_calls_have_to_be_chosen_from() -> None:
    """The message lists the names."""
    found = [*FOUND, *load_text(KID.replace("kid", "other"))]

    with pytest.raises(UserError, match="choose one with --workflow: kid, parent, other"):
        choose(found, RunRequest(file=Path("f.yaml")))
