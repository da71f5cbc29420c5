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
        name="mail-is-not-answered",
        breaks="a child that can do nothing about its parent's mail says nothing",
        target="orchestrator.core.family:answer_to",
        old="if not isinstance(parent, int):",
        new="if True:",
        caught_by=419,
    ),
    Mutant(
        name="taken-end-is-taken-back",
        breaks="a child that is run again by hand ends its parent's task once more",
        target=CHANGED,
        old=" or attempt.state is not TaskState.RUNNING",
        new="",
        caught_by=419,
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

OLD_END = Mutant(
    name="old-end-counts-again",
    breaks="a task that is recovered ends by what its child came to before it has heard of that",
    target=CHANGED,
    old='if body.get("is_to_recover"):',
    new="if False:",
    caught_by=None,
)
"""Seen only where people recover a parent between the end of its child and the word of it: see test_touches.py."""
