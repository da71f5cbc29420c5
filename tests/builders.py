"""Owns builders of the core's values for tests: each has defaults, so that a test names only what it is about."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar

from orchestrator.core.dag import compile_graph
from orchestrator.core.definition import TaskDefinition, WorkflowDefinition
from orchestrator.core.draft import Draft
from orchestrator.core.event import TaskEvent
from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.notice import AttemptNotice
from orchestrator.core.run import WorkflowInstance
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.core.transition import Context

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
INSTANCE_ID = 17

E = TypeVar("E", bound=TaskEvent)
N = TypeVar("N", bound=AttemptNotice)


def a_task(name: str = "a", *needs: str, **fields: Any) -> TaskDefinition:
    """Return a no-op task behind the tasks named in `needs`."""
    return TaskDefinition(**{"name": name, "type": "noop", "needs": needs, **fields})


def a_definition(*tasks: TaskDefinition, **fields: Any) -> WorkflowDefinition:
    """Return a workflow definition; without tasks it has one, `a`."""
    return WorkflowDefinition(**{"name": "w", "tasks": tasks or (a_task(),), **fields})


def a_head(definition: WorkflowDefinition | None = None, **fields: Any) -> Head:
    """Return the head of a run that was just submitted."""
    given = definition or a_definition()
    values = {
        "id": INSTANCE_ID,
        "slot": INSTANCE_ID,
        "definition_id": 1,
        "workflow": given.name,
        "version": 1,
        "state": WorkflowState.SUBMITTED,
        "on_failure": given.on_failure,
        "planned_time": NOW,
        "submitted_at": NOW,
    }
    return Head(**{**values, **fields})


def an_attempt(task: str = "a", **fields: Any) -> TaskInstance:
    """Return a first attempt, SUBMITTED."""
    values = {
        "workflow_instance_id": INSTANCE_ID,
        "task": task,
        "attempt": 1,
        "sequence": 1,
        "type": "noop",
        "state": TaskState.SUBMITTED,
        "ticket": f"ticket of {task}",
        "submitted_at": NOW,
    }
    return TaskInstance(**{**values, **fields})


def a_context(*, after_s: float = 0.0, **fields: Any) -> Context:
    """Return what the core is told `after_s` seconds after NOW: no jitter, no live workers, fresh tickets."""
    values: dict[str, Any] = {
        "now": NOW + timedelta(seconds=after_s),
        "jitter": 0.0,
        "new_ticket": tickets(),
        "live_workers": lambda _group: frozenset(),
    }
    return Context(**{**values, **fields})


def tickets() -> Any:
    """Return a source of tickets that are all different."""
    numbers = count(1)
    return lambda: f"ticket {next(numbers)}"


def loaded(
    definition: WorkflowDefinition, head: Head | None = None, attempts: Iterable[TaskInstance] = ()
) -> WorkflowInstance:
    """Return a run as it is after loading its rows: counters rebuilt."""
    instance = WorkflowInstance(
        head=head or a_head(definition),
        revision=1,
        definition=definition,
        graph=compile_graph(definition),
        attempts=attempts,
    )
    draft = Draft(instance, a_context())
    draft.rebuild()
    instance.apply(draft.transition())
    return instance


def an_instance(*tasks: TaskDefinition, **fields: Any) -> WorkflowInstance:
    """Return a run of these tasks that was just submitted; `fields` are the definition's."""
    return loaded(a_definition(*tasks, **fields))


def report_of(attempt: TaskInstance, kind: type[E], /, **fields: Any) -> E:
    """Return an event of `kind` about the present hand-over of `attempt`, from the worker `w1`."""
    values = {
        "workflow_instance_id": attempt.workflow_instance_id,
        "task": attempt.task,
        "attempt": attempt.attempt,
        "dispatch": attempt.dispatch,
        "ticket": attempt.ticket,
        "worker": "w1",
        "incarnation": "w1-1",
    }
    return kind(**{**values, **fields})


def notice_of(attempt: TaskInstance, kind: type[N], /, **fields: Any) -> N:
    """Return a notice of `kind` about the present hand-over of `attempt`."""
    values = {
        "workflow_instance_id": attempt.workflow_instance_id,
        "task": attempt.task,
        "attempt": attempt.attempt,
        "dispatch": attempt.dispatch,
    }
    return kind(**{**values, **fields})
