"""Owns the look back at other workflows' runs: what counts in a slot of a window, for dependent tasks."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Engine,
    Integer,
    ScalarSelect,
    Select,
    Text,
    and_,
    case,
    func,
    literal,
    or_,
    select,
    union_all,
)

from orchestrator.core.dependence import Answer, Question
from orchestrator.core.status import TASK_FINAL, WORKFLOW_FINAL, TaskState, WorkflowState
from orchestrator.store.bulk import chunks
from orchestrator.store.columns import UtcDateTime
from orchestrator.store.schema import task_instance, workflow_instance
from orchestrator.store.session import reading

QUESTIONS_AT_ONCE = 200
"""SQLite takes at most 500 parts in a compound statement."""

_RUN_ENDED = sorted(state.value for state in WORKFLOW_FINAL)
_TASK_ENDED = sorted(state.value for state in TASK_FINAL)


class History:
    """Answers questions about runs that other workflows had.

    Args:
        engine: Of any role.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def answers(self, questions: Iterable[Question]) -> dict[Question, Answer]:
        """Return the answer to each question; one statement answers hundreds.

        Dry runs do not count: nothing was done in them.

        Args:
            questions: Equal ones are asked once.

        Raises:
            StoreUnavailable: The database is away.
        """
        answers: dict[Question, Answer] = {}
        with reading(self._engine) as connection:
            for some in chunks(set(questions), QUESTIONS_AT_ONCE):
                answers.update(_answered(connection, some))
        return answers


def _answered(connection: Connection, questions: Sequence[Question]) -> dict[Question, Answer]:
    rows = connection.execute(_statement(questions)).mappings()
    return {
        questions[row["number"]]: Answer(
            run=row["run"],
            state=WorkflowState(row["state"]) if row["state"] else None,
            task_state=TaskState(row["task_state"]) if row["task_state"] else None,
            open=bool(row["open"]),
        )
        for row in rows
    }


def _statement(questions: Sequence[Question]) -> Select[Any]:
    """Return one row per question: the run that counts, how it and the task ended, whether any run is planned."""
    asked = _asked(questions)
    run, attempt = workflow_instance.alias("run"), task_instance.alias("attempt")
    same_task = and_(
        attempt.c.workflow_instance_id == run.c.id, attempt.c.current, attempt.c.task == asked.c.task
    )
    return (
        select(
            asked.c.number,
            run.c.id.label("run"),
            run.c.state,
            attempt.c.state.label("task_state"),
            select(literal(1)).where(*_planned_in(asked)).limit(1).scalar_subquery().label("open"),
        )
        .select_from(asked)
        .join(run, run.c.id == _latest(asked), isouter=True)
        .join(attempt, same_task, isouter=True)
    )


def _asked(questions: Sequence[Question]) -> CTE:
    """Return the questions as rows."""
    return union_all(
        *(
            select(
                literal(number, Integer).label("number"),
                literal(question.workflow, Text).label("workflow"),
                literal(question.task, Text).label("task"),
                literal(question.slot.begin, UtcDateTime).label("begin"),
                literal(question.slot.until, UtcDateTime).label("until"),
            )
            for number, question in enumerate(questions)
        )
    ).cte("asked")


def _planned_in(asked: CTE) -> list[ColumnElement[bool]]:
    planned = workflow_instance.c
    return [
        planned.workflow == asked.c.workflow,
        planned.planned_time >= asked.c.begin,
        planned.planned_time < asked.c.until,
        planned.dry_run.is_(False),
    ]


def _latest(asked: CTE) -> ScalarSelect[int]:
    """Return the id of the run that counts: that which ended last, or whose task did if one is asked about."""
    attempt = task_instance.c
    same_task = and_(
        attempt.workflow_instance_id == workflow_instance.c.id,
        attempt.current,
        attempt.task == asked.c.task,
        attempt.state.in_(_TASK_ENDED),
    )
    return (
        select(workflow_instance.c.id)
        .select_from(workflow_instance.join(task_instance, same_task, isouter=True))
        .where(
            *_planned_in(asked),
            or_(workflow_instance.c.state.in_(_RUN_ENDED), attempt.state.is_not(None)),
        )
        .order_by(
            _never_began(),  # what was stopped at once says nothing about a slot in which another one ran
            func.coalesce(attempt.ended_at, workflow_instance.c.ended_at).desc(),
            workflow_instance.c.id.desc(),
        )
        .limit(1)
        .correlate(asked)
        .scalar_subquery()
    )


def _never_began() -> ColumnElement[int]:
    """Return 1 for a run that was stopped before it began, and came to nothing; else 0."""
    planned = workflow_instance.c
    stopped = and_(planned.state == WorkflowState.STOPPED.value, planned.started_at.is_(None))
    return case((stopped, 1), else_=0)
