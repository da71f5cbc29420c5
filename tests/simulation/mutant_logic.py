"""Owns the mutants of what masters decide without a worker: what counts of other runs and of outputs."""

from tests.simulation.mutant_patch import Mutant

DEPENDENCE = "orchestrator.core.dependence"
HISTORY = "orchestrator.store.history"
CHILD_PARAMETERS = "orchestrator.core.child_parameters:child_parameters"
SUCCEED = "orchestrator.core.handlers.report:_succeed"

LOGIC_MUTANTS = (
    Mutant(
        name="task-is-not-asked-about",
        breaks="who depends on a task looks at its whole run",
        target=f"{DEPENDENCE}:_of_answer",
        old="if question.task is None:\n        if",
        new="if True:\n        if",
        caught_by=225,
    ),
    Mutant(
        name="one-slot-is-enough",
        breaks="a dependency is met as soon as it is in one slot of its window",
        target=f"{DEPENDENCE}:judge",
        old="return _all([_of_answer",
        new="return _any([_of_answer",
        caught_by=109,
    ),
    Mutant(
        name="first-run-counts",
        breaks="of the runs in a slot the one that ended first counts",
        target=f"{HISTORY}:_latest",
        old="workflow_instance.c.ended_at).desc()",
        new="workflow_instance.c.ended_at).asc()",
        caught_by=127,
    ),
    Mutant(
        name="slot-is-too-long",
        breaks="the first moment behind a slot belongs to it",
        target=f"{HISTORY}:_planned_in",
        old="planned.planned_time < asked.c.until",
        new="planned.planned_time <= asked.c.until",
        caught_by=95,
    ),
    Mutant(
        name="one-look-only",
        breaks="who has looked at other runs does not look again",
        target="orchestrator.master.lookout:Lookout._again",
        old="self._desk.timers.set(due.timer, at, due)",
        new="pass",
        caught_by=59,
    ),
    Mutant(
        name="check-is-not-asked",
        breaks="whatever outputs a task gives, it is a success",
        target=SUCCEED,
        old="if task.check is None:",
        new="if True:",
        caught_by=9,
    ),
    Mutant(
        name="refused-outputs-end-the-task",
        breaks="a failed check is not tried again",
        target=SUCCEED,
        old="fail(draft, replace(ended, reason=reason), CHECK_FAILED)",
        new="draft.end(replace(ended, reason=reason), TaskState.FAILURE)",
        caught_by=98,
    ),
    Mutant(
        name="refused-outputs-are-tried-again",
        breaks="a failed check is tried again, even where it is not to be",
        target=SUCCEED,
        old="fail(draft, replace(ended, reason=reason), CHECK_FAILED)",
        new="fail(draft, replace(ended, reason=reason), None)",
        caught_by=78,
    ),
    Mutant(
        name="refused-outputs-are-kept",
        breaks="outputs that a check called wrong go into the cache",
        target=SUCCEED,
        old="fail(draft, replace(ended, reason=reason), CHECK_FAILED)",
        new="fail(draft, replace(ended, reason=reason), CHECK_FAILED); return entries_of(draft.head, ended)",
        caught_by=222,
    ),
    Mutant(
        name="check-tells-nobody",
        breaks="nobody is told of outputs that are wrong",
        target=SUCCEED,
        old='draft.alert("check_failed", key, task=ended.task, reason=reason)',
        new="pass",
        caught_by=9,
    ),
    Mutant(
        name="word-is-not-given",
        breaks="what a task gives the run that it starts does not arrive",
        target=CHILD_PARAMETERS,
        old="if name in declared} | dict(own)",
        new="if name in declared}",
        caught_by=52,
    ),
    Mutant(
        name="word-is-not-inherited",
        breaks="a called run does not have the parameters of its caller",
        target=CHILD_PARAMETERS,
        old="inherited(marked) | element_of(task, marked)",
        new="element_of(task, marked)",
        caught_by=241,
    ),
    Mutant(
        name="word-does-not-come-back",
        breaks="what a called run has worked out is not its task's",
        target="orchestrator.core.handlers.child:_succeed",
        old="outputs=outputs)",
        new="outputs={})",
        caught_by=52,
    ),
)
