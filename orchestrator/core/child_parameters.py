"""Owns the start parameters of a child: what its task gives, over what it inherits of its parent's."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchestrator.core import secrets, types
from orchestrator.core.definition import ParameterDefinition, TaskDefinition
from orchestrator.core.inputs import resolve_inputs
from orchestrator.core.surroundings import Surroundings, element_of, inherited
from orchestrator.errors import UnresolvedParameter


def child_parameters(
    task: TaskDefinition, around: Surroundings, declared: Mapping[str, ParameterDefinition]
) -> dict[str, Any]:
    """Return the start parameters of the child of a sub_workflow task.

    Args:
        task: The task, whose own `params` count most.
        around: What its references see.
        declared: The child's parameters. The parent's start and workflow parameters count where they are declared.

    Raises:
        UnresolvedParameter: A value is missing, of the wrong type, not declared, or names a secret that neither
            definition nor start parameter named.
    """
    ticket = around.attempt.ticket  # marks the secrets that people wrote, so that no output can name one
    marked = replace(around, secret_ticket=ticket)
    own = resolve_inputs(task, marked).params
    if unknown := [name for name in own if name not in declared]:
        known = ", ".join(declared) or "none"
        raise UnresolvedParameter(
            f"parameter '{unknown[0]}' is not declared by workflow '{task.spec['workflow']}': {known}"
        )
    inheritable = inherited(marked) | element_of(task, marked)
    given = {name: value for name, value in inheritable.items() if name in declared} | dict(own)
    if missing := [name for name, one in declared.items() if one.required and name not in given]:
        raise UnresolvedParameter(f"parameter '{missing[0]}' of '{task.spec['workflow']}' has no value")
    return {name: _checked(name, value, declared[name], ticket) for name, value in given.items()}


def _checked(name: str, value: Any, declared: ParameterDefinition, ticket: str) -> Any:
    if secrets.mark(value, ticket) != value:
        raise UnresolvedParameter(f"parameter '{name}': an output cannot name a secret")
    plain = secrets.unmark(value, ticket)
    if declared.type is None or plain is None:
        return plain
    try:
        return types.check(plain, declared.type)
    except types.TypeMismatch as error:
        raise UnresolvedParameter(f"parameter '{name}': {error}") from None
