"""Owns the turns of serial executions: what a step of a run means for whose turn it is.

The database holds whose turn it is, one row for each workflow name. A run that needs a turn asks for it (it is
WAITING), is given it by mail (WAKE), takes it in the transaction in which it begins, and leaves it in the one in
which it ends.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.core.command import Command
from orchestrator.core.definition import Execution, WorkflowDefinition
from orchestrator.core.instance import Head
from orchestrator.core.status import WorkflowState

SERIAL = "serial"
"""Key in the body of a command that comes from the order of turns, not from a person."""

HOLDS = "holds"
"""Key in the body of a WAKE, filled in when it is read: whether the run has been given the turn, as it is now."""


class TurnStep(StrEnum):
    """What a run does about its turn."""

    ASK = "ask"
    TAKE = "take"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One step of one run, to be settled in the transaction that makes it durable.

    Attributes:
        workflow: The name, whatever the version: its runs share one turn.
        execution: What the run's own version says.
    """

    workflow: str
    workflow_instance_id: int
    execution: Execution
    step: TurnStep


def needs_turn(definition: WorkflowDefinition, head: Head) -> bool:
    """Return whether a run begins only when it is its turn; a dry run executes nothing, and waits for nobody."""
    return definition.execution is not Execution.PARALLEL and not head.dry_run


def turns_of_step(
    definition: WorkflowDefinition, before: Head, after: Head, *, took: bool
) -> tuple[Turn, ...]:
    """Return what a step means for the turn of a run, if it is one that needs it; otherwise as `turns_of`."""
    serial = needs_turn(definition, before) or before.state is WorkflowState.WAITING
    if not serial or after is before:
        return ()
    return tuple(turns_of(definition.execution, before, after, took=took))


def turns_of(execution: Execution, before: Head, after: Head, *, took: bool) -> Iterator[Turn]:
    """Yield what a step of a run means for its turn.

    Args:
        execution: What the run's version says.
        before: Its row before the step.
        after: Its row after it.
        took: It began in this step; it may have ended in it, too.
    """
    waited = before.state is WorkflowState.WAITING
    waits = after.state is WorkflowState.WAITING
    steps = (
        (TurnStep.TAKE, took),
        (TurnStep.LEAVE, (waited or before.has_turn or took) and not (waits or after.has_turn)),
        (TurnStep.ASK, waits and not waited),
    )
    for step, is_taken in steps:
        if is_taken:
            yield Turn(workflow=after.workflow, workflow_instance_id=after.id, execution=execution, step=step)


def is_from_turns(command: Command) -> bool:
    """Return whether a command comes from the order of turns: one that does not fit is nobody's mistake."""
    return SERIAL in command.body
