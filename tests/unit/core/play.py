"""Owns the play: a run driven through the core, checked after every step against its rows and its rollback."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from orchestrator.core.command import Alert, Command, CommandKind
from orchestrator.core.decide import Report, decide_command, decide_notice, decide_report
from orchestrator.core.definition import TaskDefinition, WorkflowDefinition
from orchestrator.core.event import TaskDispatched, TaskEvent, TaskResult, TaskRunning
from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.notice import AttemptNotice, Continue, Notice
from orchestrator.core.pool import is_in_pool
from orchestrator.core.run import WorkflowInstance
from orchestrator.core.status import TASK_FINAL, TaskState, WorkflowState
from orchestrator.core.transition import Context, Transition
from orchestrator.core.wants import Want, wants
from tests.builders import INSTANCE_ID, a_context, a_definition, loaded, notice_of, report_of, tickets


class Play:
    """A run, its rows as the database would have them, and a clock that moves when it is told to.

    Args:
        definition: The definition of the run.
        strict: Check after each step that rollback and rows agree with memory (costs O(tasks) a step).
        context: Fields of the context that every step gets.
    """

    def __init__(self, definition: WorkflowDefinition, *, strict: bool = True, **context: Any) -> None:
        self.instance: WorkflowInstance = loaded(definition)
        self.rows: dict[tuple[str, int], TaskInstance] = {}
        self.alerts: list[Alert] = []
        self.in_pools: set[tuple[int, str, int]] = set()
        self.clock_s = 0.0
        self.last = Transition()
        self._strict = strict
        self._context: dict[str, Any] = {"new_ticket": tickets(), **context}

    # --- what happens ------------------------------------------------------------------------

    def command(self, kind: CommandKind, /, **body: Any) -> Transition:
        """Carry out a command; `from_` is the key `from` of its body."""
        given = {name.rstrip("_"): value for name, value in body.items()}
        command = Command(id=1, slot=INSTANCE_ID, workflow_instance_id=INSTANCE_ID, kind=kind, body=given)
        return self._step(lambda context: decide_command(self.instance, command, context))

    def start(self) -> "Play":
        """Start the run."""
        self.command(CommandKind.START)
        return self

    def deliver(self, event: Report) -> Transition:
        """Handle a report."""
        return self._step(lambda context: decide_report(self.instance, event, context))

    def report(self, task: str, kind: type[TaskEvent], /, **fields: Any) -> Transition:
        """Report about the present hand-over of `task`."""
        return self.deliver(self.event(task, kind, **fields))

    def event(self, task: str, kind: type[TaskEvent], /, **fields: Any) -> Any:
        """Return a report about the present hand-over of `task`, without delivering it."""
        return report_of(self[task], kind, **fields)

    def dispatched(self, *tasks: str) -> None:
        """Let the broker have these tasks."""
        for task in tasks:
            self.report(task, TaskDispatched, worker="", incarnation="")

    def running(self, *tasks: str) -> None:
        """Let the worker start these tasks."""
        for task in tasks:
            self.report(task, TaskRunning)

    def succeed(self, *tasks: str) -> None:
        """Let these tasks succeed."""
        for task in tasks:
            self.report(task, TaskResult, state=TaskState.SUCCESS)

    def fail(self, *tasks: str, **fields: Any) -> None:
        """Let these tasks fail."""
        for task in tasks:
            self.report(task, TaskResult, state=TaskState.FAILURE, **fields)

    def notice(self, notice: Notice) -> Transition:
        """Handle a notice of the master's own machinery."""
        return self._step(lambda context: decide_notice(self.instance, notice, context))

    def notify(self, task: str, kind: type[AttemptNotice], /, **fields: Any) -> Transition:
        """Notify about the present hand-over of `task`."""
        notice: Any = notice_of(self[task], kind, **fields)
        return self.notice(notice)

    def go_on(self) -> Transition:
        """Take one more step of what the last one left over."""
        return self.notice(Continue(workflow_instance_id=INSTANCE_ID))

    def settle(self) -> int:
        """Take steps until nothing is left over; return how many that took."""
        steps = 0
        while self.instance.is_unsettled:
            self.go_on()
            steps += 1
        return steps

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock_s += seconds

    def limit_rows(self, row_limit: int) -> None:
        """From now on let a step write this many rows."""
        self._context["row_limit"] = row_limit

    # --- what is to be seen ------------------------------------------------------------------

    def __getitem__(self, task: str) -> TaskInstance:
        return self.instance.attempts[task]

    @property
    def head(self) -> Head:
        """The head of the run."""
        return self.instance.head

    @property
    def state(self) -> WorkflowState:
        """The state of the run."""
        return self.instance.head.state

    @property
    def states(self) -> dict[str, str]:
        """The state of each task that has an attempt, as text."""
        return {task: attempt.state.value for task, attempt in sorted(self.instance.attempts.items())}

    @property
    def context(self) -> Context:
        """What the next step is told."""
        return a_context(after_s=self.clock_s, **self._context)

    def wants(self, task: str) -> Want | None:
        """Return what the row of `task` asks for."""
        return wants(self.head, self.instance.graph.tasks[task], self[task])

    # --- inside ------------------------------------------------------------------------------

    def _step(self, decide: Callable[[Context], Transition]) -> Transition:
        transition = self._applied_twice(decide) if self._strict else decide(self.context)
        if not self._strict:
            self.instance.apply(transition)
        self._write(transition)
        if self._strict:
            self._compare_with_rows()
        self.last = transition
        return transition

    def _applied_twice(self, decide: Callable[[Context], Transition]) -> Transition:
        """Decide, apply, undo and apply again; memory must be the same before and after."""
        before = self.instance.snapshot()
        transition = decide(self.context)
        assert self.instance.snapshot() == before, "a handler changed memory"
        inverse = self.instance.apply(transition)
        after = self.instance.snapshot()
        self.instance.apply(inverse)
        assert self.instance.snapshot() == before, "the inverse did not restore memory"
        self.instance.apply(transition)
        assert self.instance.snapshot() == after, "applied again, the transition came to something else"
        return transition

    def _write(self, transition: Transition) -> None:
        """Write the transition's rows as the store would, refusing what it would refuse."""
        for row in transition.inserted:
            assert (row.task, row.attempt) not in self.rows, "inserted twice"
            self.rows[row.task, row.attempt] = row
        for row in transition.updated:
            old = self.rows[row.task, row.attempt]
            forced = row.state is TaskState.FORCED_SUCCESS
            assert forced or old.state not in TASK_FINAL, "a finished attempt changed"
            self.rows[row.task, row.attempt] = row
        for row in transition.withdrawn:
            assert self.rows[row.task, row.attempt] == row, "withdrawn is not what the row says"
            assert row.current, "withdrawn twice"
            self.rows[row.task, row.attempt] = replace(row, current=False)
        self.alerts.extend(transition.alerts)
        self.in_pools -= {one.key for one in transition.released}
        self.in_pools |= {one.key for one in transition.lined_up}

    def _compare_with_rows(self) -> None:
        current = [row for row in self.rows.values() if row.current]
        assert {row.task: row for row in current} == self.instance.attempts, "memory is not what the rows say"
        assert len(current) == len(self.instance.attempts), "two current attempts of one task"
        tasks = self.instance.graph.tasks
        in_pools = {row.key for row in self.rows.values() if is_in_pool(self.head, tasks[row.task], row)}
        assert self.in_pools == in_pools, "who is in a pool is not what the rows say"
        names = {row.task for row in current}
        spent = {
            task: max(number for name, number in self.rows if name == task)
            for task, _ in self.rows
            if task not in names
        }
        assert spent == self.instance.spent, "what is to be run again is not what the rows say"
        again = loaded(self.instance.definition, self.instance.head, current)
        if self.instance.head.ending and self.instance.owed:
            return  # what is owed is not run any more; loading says so one step earlier
        assert again.nodes == self.instance.nodes, "loading the rows gives other counters"
        assert again.owed.keys() == self.instance.owed.keys(), "loading the rows gives other debts"


def a_play(*tasks: TaskDefinition, row_limit: int = 1000, **fields: Any) -> Play:
    """Return a play of these tasks, not started; `fields` are the definition's."""
    return Play(a_definition(*tasks, **fields), row_limit=row_limit)


def started(*tasks: TaskDefinition, row_limit: int = 1000, **fields: Any) -> Play:
    """Return a play of these tasks, started; `fields` are the definition's."""
    return a_play(*tasks, row_limit=row_limit, **fields).start()
