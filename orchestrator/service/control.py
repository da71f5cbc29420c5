"""Owns the use cases of controlling whole runs: pause, resume, stop, recover; checked against their states."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.core.command import CommandKind
from orchestrator.core.status import WORKFLOW_FINAL, WorkflowState
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
        repeated=frozenset({W.RUNNING, W.WAITING}),
        done="resuming",
    ),
    CommandKind.STOP: Rule(
        accepted=frozenset({W.SUBMITTED, W.RUNNING, W.PAUSING, W.WAITING, W.PAUSED}),
        repeated=frozenset({W.STOPPING, W.STOPPED}),
        done="stopping",
    ),
    CommandKind.RECOVER: Rule(
        accepted=frozenset({W.FAILURE, W.STOPPED}),
        repeated=frozenset(),
        done="recovering",
    ),
    CommandKind.RERUN: Rule(
        accepted=WORKFLOW_FINAL,
        repeated=frozenset(),
        done="running again",
    ),
    CommandKind.FORCE_SUCCESS: Rule(
        accepted=WORKFLOW_FINAL,
        repeated=frozenset(),
        done="forcing",
    ),
}
"""SEMANTICS section 7."""


def control(backend: Backend, kind: CommandKind, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Ask the master for a change of runs; answers at once, the master carries it out.

    Args:
        backend: The services.
        kind: PAUSE, RESUME, STOP or RECOVER.
        ids: The runs; all are checked before anything is asked for.

    Raises:
        NotFound: There is no such run.
        Conflict: The command does not fit a run's state; the message says which and why.
    """
    documents = [runs.show(backend, one) for one in ids]
    asked = [_is_needed_for(kind, one) for one in documents]
    for document, wanted in zip(documents, asked, strict=True):
        if wanted:
            send(backend, kind, document["id"], _body(kind, document))
    return [
        answer(kind, document["id"], document["state"], sent=wanted)
        for document, wanted in zip(documents, asked, strict=True)
    ]


def send(backend: Backend, kind: CommandKind, workflow_instance_id: int, body: Mapping[str, Any]) -> None:
    """Leave a command for the run's master, and wake it."""
    backend.wake(backend.commands.send(workflow_instance_id, kind, body).slot)


def answer(kind: CommandKind, workflow_instance_id: int, state: str, *, sent: bool) -> dict[str, Any]:
    """Return what the user is told: the state that the command met, and whether there was anything to ask for."""
    return {
        "workflow_instance_id": workflow_instance_id,
        "state": state,
        "command": str(kind),
        "sent": sent,
    }


def _is_needed_for(kind: CommandKind, document: Mapping[str, Any]) -> bool:
    state = WorkflowState(document["state"])
    if kind is CommandKind.RECOVER and state in (W.RUNNING, W.WAITING) and document["run_count"] > 1:
        return False  # it was recovered already
    return is_needed(kind, document["id"], state)


def _body(kind: CommandKind, document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the master must know of what the user saw: two recovers of one end are one recovery."""
    return {"run_count": document["run_count"]} if kind is CommandKind.RECOVER else {}


def is_needed(kind: CommandKind, workflow_instance_id: int, state: WorkflowState) -> bool:
    """Return whether the command would do something; it would not where it was asked for already.

    Raises:
        Conflict: It does not fit the state.
    """
    rule = RULES[kind]
    if state in rule.accepted or state in rule.repeated:
        return state in rule.accepted
    fits = ", ".join(sorted(rule.accepted))
    word = str(kind).lower().replace("_", "-")
    raise Conflict(f"run {workflow_instance_id} is {state}: {word} fits only {fits}")
