"""Environments: what may be set, and what is refused when a workflow goes online."""

import pytest

from orchestrator.authoring.load import load_text
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.errors import DefinitionError, UserError
from orchestrator.service import definitions, environments
from orchestrator.service.backend import Backend


def naming(workflow: str, task: str) -> list[WorkflowDefinition]:
    """Return a workflow that refers to two environments."""
    return load_text(
        f"workflow: {{name: w, environment: {workflow}}}\ntasks: [{{name: a, type: noop, environment: {task}}}]"
    )


def test_unknown_environments_are_refused_when_a_workflow_goes_online(backend: Backend) -> None:
    """Each with its task, a guess and the command that makes it."""
    environments.set_variables(backend, "staging", {"A": "1"})
    definitions.deploy(backend, naming("stagin", "nowhere"), online=False)

    for go_online in (
        lambda: definitions.deploy(backend, naming("stagin", "nowhere"), online=True),
        lambda: definitions.set_online(backend, "w", online=True),
    ):
        with pytest.raises(DefinitionError) as caught:
            go_online()
        whole, task = caught.value.faults
        assert "'stagin' (did you mean 'staging'?)" in whole.message
        assert (task.task, task.field) == ("a", "environment")
        assert "orchestrator environments set nowhere" in task.message

    definitions.deploy(backend, naming("staging", "staging"), online=True)


@pytest.mark.parametrize(
    ("name", "variable"), [("a b", "A"), ("s", "PATH"), ("s", "9"), ("s", "ORCHESTRATOR_HOME"), ("s", "A B")]
)
def test_names_that_no_program_could_use_are_refused(backend: Backend, name: str, variable: str) -> None:
    """As for parameters; nothing is stored."""
    with pytest.raises(UserError, match="cannot name"):
        environments.set_variables(backend, name, {variable: "1"})
    assert environments.list_environments(backend) == []


def test_a_value_that_no_program_could_get_is_refused(backend: Backend) -> None:
    """It would fail every task."""
    with pytest.raises(UserError, match="A: more than 122880 bytes"):
        environments.set_variables(backend, "s", {"A": "x" * 122_881})
