"""Owns the use cases of environments: listing, setting, and refusing definitions that name unknown ones."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from orchestrator.authoring.names import did_you_mean, workflow_name
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.core.parameters import MAX_SHELL_VALUE_BYTES, is_shell_name
from orchestrator.errors import DefinitionError, Fault, NotFound, UserError
from orchestrator.service.records import Records
from orchestrator.store.environments import Environments
from orchestrator.store.storable import check_storable

MOST_VARIABLES = 1000


def list_environments(records: Records) -> list[dict[str, Any]]:
    """Return every environment with its variables."""
    return [_document(name, variables) for name, variables in Environments(records.engine).list().items()]


def set_variables(
    records: Records, name: str, variables: Mapping[str, str], *, without: Collection[str] = ()
) -> dict[str, Any]:
    """Set variables of an environment, and remove others; what is not named stays.

    Args:
        records: What is stored.
        name: The environment; a new one is made.
        variables: Texts by name.
        without: Names of variables that go.

    Raises:
        UserError: A name or value cannot be used; all faults are listed.
    """
    faults = [*_faults_of_name(name), *_faults_of(variables)]
    if faults:
        raise UserError("\n".join(faults))
    check_storable(dict(variables), f"environment '{name}'")
    return _document(name, Environments(records.engine).set(name, variables, without=without))


def delete(records: Records, name: str, *, force: bool) -> dict[str, Any]:
    """Delete an environment.

    Args:
        records: What is stored.
        name: The environment.
        force: Also if a workflow that is online, or a run that goes on, refers to it.

    Raises:
        NotFound: There is no such environment.
        Conflict: It is needed; the message names by whom.
    """
    environments = Environments(records.engine)
    known = environments.list()
    if name not in known:
        raise NotFound(f"there is no environment '{name}'{did_you_mean(name, known)}")
    environments.delete(name, force=force)
    return {"name": name, "deleted": True}


def refuse_unknown_environments(records: Records, definitions: Sequence[WorkflowDefinition]) -> None:
    """Return if every environment that the definitions refer to has been set.

    Args:
        records: What is stored.
        definitions: Those that go online.

    Raises:
        DefinitionError: Some have not; each is named, with its place.
    """
    named = [(one, place, name) for one in definitions for place, name in _named(one)]
    if not named:
        return
    known = list(Environments(records.engine).list())
    faults = [
        Fault(
            workflow=definition.name,
            message=f"there is no environment '{name}'{did_you_mean(name, known)};"
            f" make it with: orchestrator environments set {name} NAME=VALUE",
            task=task,
            field="environment",
        )
        for definition, task, name in named
        if name not in known
    ]
    if faults:
        raise DefinitionError(faults)


def _named(definition: WorkflowDefinition) -> list[tuple[str | None, str]]:
    """Return the environments that a definition refers to, each with its task, if it is a task's."""
    whole = [(None, definition.environment)] if definition.environment else []
    return [*whole, *((task.name, task.environment) for task in definition.tasks if task.environment)]


def _faults_of_name(name: str) -> list[str]:
    try:
        workflow_name(name)
    except ValueError as error:
        return [f"'{name}' cannot name an environment: {error}"]
    return []


def _faults_of(variables: Mapping[str, str]) -> list[str]:
    faults = [
        f"'{name}' cannot name a variable: letters, digits and '_' only, no digit in front, "
        "and not PATH, LD_*, BASH_ENV, IFS, PYTHON*, ORCHESTRATOR_*"
        for name in variables
        if not is_shell_name(name)
    ]
    faults += [
        f"{name}: more than {MAX_SHELL_VALUE_BYTES} bytes"
        for name, value in variables.items()
        if len(value.encode("utf-8", "surrogateescape")) > MAX_SHELL_VALUE_BYTES
    ]
    if len(variables) > MOST_VARIABLES:
        faults.append(f"more than {MOST_VARIABLES} variables at once")
    return faults


def _document(name: str, variables: Mapping[str, str]) -> dict[str, Any]:
    return {"name": name, "variables": dict(variables)}
