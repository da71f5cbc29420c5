"""Owns the use cases of controlling runs: pause, resume and stop, checked against the state they meet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.core.command import CommandKind
from orchestrator.core.status import WorkflowState
from orchestrator.errors import Conflict
from orchestrator.service import runs
from orchestrator.service.backend import Backend

W = WorkflowState


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When a command fits.

    Attributes:
        accepted: States in which it does something.
        repeated: States in which it was asked for already: nothing is done, and that is fine.
        done: What the user reads.
    """

    accepted: frozenset[WorkflowState]
    repeated: frozenset[WorkflowState]
    done: str


RULES: Mapping[CommandKind, Rule] = {
    CommandKind.PAUSE: Rule(
        accepted=frozenset({W.SUBMITTED, W.RUNNING, W.WAITING}),
        repeated=frozenset({W.PAUSING, W.PAUSED}),
        done="pausing",
    ),
    CommandKind.RESUME: Rule(
        accepted=frozenset({W.PAUSED, W.PAUSING}),
        repeated=frozenset({W.RUNNING}),
        done="resuming",
    ),
    CommandKind.STOP: Rule(
        accepted=frozenset({W.SUBMITTED, W.RUNNING, W.PAUSING, W.WAITING, W.PAUSED}),
        repeated=frozenset({W.STOPPING, W.STOPPED}),
        done="stopping",
    ),
}
"""SEMANTICS section 7."""


def control(backend: Backend, kind: CommandKind, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Ask the master for a change of runs; answers at once, the master carries it out.

    Args:
        backend: The services.
        kind: PAUSE, RESUME or STOP.
        ids: The runs; all are checked before anything is asked for.

    Raises:
        NotFound: There is no such run.
        Conflict: The command does not fit a run's state; the message says which and why.
    """
    documents = [runs.show(backend, one) for one in ids]
    asked = [is_needed(kind, one["id"], WorkflowState(one["state"])) for one in documents]
    for document, wanted in zip(documents, asked, strict=True):
        if wanted:
            backend.wake(backend.commands.send(document["id"], kind).slot)
    return [
        {
            "workflow_instance_id": document["id"],
            "state": document["state"],
            "command": str(kind),
            "sent": wanted,
        }
        for document, wanted in zip(documents, asked, strict=True)
    ]


def is_needed(kind: CommandKind, workflow_instance_id: int, state: WorkflowState) -> bool:
    """Return whether the command would do something; it would not where it was asked for already.

    Raises:
        Conflict: It does not fit the state.
    """
    rule = RULES[kind]
    if state in rule.accepted or state in rule.repeated:
        return state in rule.accepted
    fits = ", ".join(sorted(rule.accepted))
    raise Conflict(f"run {workflow_instance_id} is {state}: {str(kind).lower()} fits only {fits}")
