"""Owns the mutants of what a run and its children ask and tell each other when people touch both."""

from tests.simulation.mutant_patch import Mutant

CHANGED = "orchestrator.core.handlers.child:handle_child_changed"

CHILD_MUTANTS = (
    Mutant(
        name="recover-takes-a-new-child",
        breaks="the child of a task that is recovered is not kept",
        target="orchestrator.core.handlers.again:_to_keep",
        old="attempt.child is None and (",
        new="(",
        caught_by=419,
    ),
    Mutant(
        name="taken-end-is-taken-back",
        breaks="a child that is run again by hand ends its parent's task once more",
        target=CHANGED,
        old=" or attempt.state is not TaskState.RUNNING",
        new="",
        caught_by=47,
    ),
    Mutant(
        name="stopped-by-hand-is-tried-again",
        breaks="a task whose child was stopped by hand starts another one",
        target=CHANGED,
        old='draft.end(attempt, TaskState.KILLED, reason=f"its run {child} was stopped")',
        new='_fail(draft, attempt, f"its run {child} was stopped")',
        caught_by=47,
    ),
)
