"""Owns the mutants of what masters decide without a worker: what counts of other workflows' runs."""

from tests.simulation.mutant_patch import Mutant

DEPENDENCE = "orchestrator.core.dependence"
HISTORY = "orchestrator.store.history"

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
)
