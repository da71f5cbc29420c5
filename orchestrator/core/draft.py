"""Owns the draft: a copy-on-write view of one run on which a handler works out its transition."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from orchestrator.core.command import Alert
from orchestrator.core.definition import OnFailure, TaskDefinition
from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.node import OUTCOMES, Decision, Node, Outcome
from orchestrator.core.run import CREATING, WorkflowInstance, decide_node, sweep_target, swept_states
from orchestrator.core.status import (
    TASK_ACTIVE,
    TASK_INITIAL,
    WORKFLOW_FINAL,
    TaskState,
    WorkflowState,
    check_task_edge,
    check_workflow_edge,
)
from orchestrator.core.transition import Context, Transition
from orchestrator.errors import IllegalTransition


class Draft:
    """What one decision changes so far. It reads the instance and never mutates it.

    Args:
        instance: The run as memory has it.
        context: Time, chance and the live workers.
    """

    __slots__ = (
        "_alerts",
        "_current",
        "_inserted",
        "_instance",
        "_nodes",
        "_owed",
        "_sequence",
        "_updated",
        "context",
        "head",
    )

    def __init__(self, instance: WorkflowInstance, context: Context) -> None:
        self._instance = instance
        self.context = context
        self.head: Head = instance.head
        self._sequence = instance.head.next_sequence
        self._current: dict[str, TaskInstance] = {}
        self._nodes: dict[str, Node] = {}
        self._owed: deque[str] = deque()
        self._inserted: dict[tuple[str, int], TaskInstance] = {}
        self._updated: dict[tuple[str, int], TaskInstance] = {}
        self._alerts: list[Alert] = []

    # --- reading -----------------------------------------------------------------------------

    def attempt(self, task: str) -> TaskInstance | None:
        """Return the current attempt of `task` as this draft has it."""
        return self._current.get(task) or self._instance.attempts.get(task)

    @property
    def is_stopping(self) -> bool:
        """Whether nothing gets another attempt: the run is stopping, or ending after a failure."""
        return self.head.state in _STOPPED_STATES or self.head.ending

    def definition(self, task: str) -> TaskDefinition:
        """Return the definition of `task`."""
        return self._instance.graph.tasks[task]

    def node(self, task: str) -> Node:
        """Return the counters of `task` as this draft has them."""
        return self._nodes.get(task) or self._instance.nodes[task]

    def due(self, seconds: float) -> datetime:
        """Return the database time `seconds` from now."""
        return self.context.now + timedelta(seconds=seconds)

    def count(self, *states: TaskState) -> int:
        """Return how many current attempts are in one of `states`; costs O(changes)."""
        number = self._instance.count(*states)
        for task, attempt in self._current.items():
            old = self._instance.attempts.get(task)
            number += (attempt.state in states) - (old is not None and old.state in states)
        return number

    def some_in(self, *states: TaskState, most: int = 3) -> list[str]:
        """Return the names of up to `most` tasks in one of `states`."""
        names = [task for task, attempt in self._current.items() if attempt.state in states]
        for task in self._instance.in_state(*states):
            if len(names) >= most:
                break
            if task not in self._current:
                names.append(task)
        return sorted(names[:most])

    # --- writing -----------------------------------------------------------------------------

    def set_head(self, **changes: Any) -> None:
        """Change fields of the head; a change of state must be an edge of the table."""
        state = changes.get("state", self.head.state)
        if state is not self.head.state:
            check_workflow_edge(self.head.state, state)
        self.head = replace(self.head, **changes)

    def update(self, attempt: TaskInstance, **changes: Any) -> TaskInstance:
        """Change fields of an attempt that exists; a change of state must be an edge of the table.

        Returns:
            The attempt after the change.

        Raises:
            IllegalTransition: There is no such edge.
        """
        changed = replace(attempt, **changes)
        if changed.state is not attempt.state:
            check_task_edge(attempt.state, changed.state)
        where = self._inserted if (attempt.task, attempt.attempt) in self._inserted else self._updated
        where[attempt.task, attempt.attempt] = changed
        if changed.current:
            self._current[attempt.task] = changed
        return changed

    def insert(self, attempt: TaskInstance) -> TaskInstance:
        """Add a new attempt, which becomes the current one, and number it in order of submission.

        Raises:
            IllegalTransition: No attempt may begin in that state.
        """
        if attempt.state not in TASK_INITIAL:
            raise IllegalTransition(f"task instance: new -> {attempt.state}")
        numbered = replace(attempt, sequence=self._sequence, submitted_at=self.context.now)
        self._sequence += 1
        self._inserted[attempt.task, attempt.attempt] = numbered
        self._current[attempt.task] = numbered
        return numbered

    def end(self, attempt: TaskInstance, state: TaskState, **changes: Any) -> None:
        """End an attempt for good and tell its downstreams."""
        self.update(attempt, state=state, ended_at=self.context.now, due_at=None, **changes)
        outcome = OUTCOMES[state]
        if outcome is Outcome.FAILED and self.head.on_failure is OnFailure.END and not self.is_stopping:
            self.set_head(ending=True)
        self.settle(attempt.task, outcome)

    def replace_attempt(self, attempt: TaskInstance, state: TaskState, **changes: Any) -> None:
        """Put a new attempt in the place of one that ended in `state` (a retry, or after a loss)."""
        closed = self.update(attempt, state=state, ended_at=self.context.now, due_at=None)
        self._updated[attempt.task, attempt.attempt] = replace(closed, current=False)
        due_at = changes.pop("due_at", None)
        self.insert(
            TaskInstance(
                workflow_instance_id=self.head.id,
                task=attempt.task,
                attempt=attempt.attempt + 1,
                sequence=0,
                type=attempt.type,
                state=self._state_of_new(due_at),
                ticket=self.context.new_ticket(),
                due_at=due_at,
                **{"failures": attempt.failures, "losses": attempt.losses, **changes},
            )
        )

    def alert(self, kind: str, key: str, **body: Any) -> None:
        """Tell people, in the same transaction; `key` makes a repeat of the same fact impossible."""
        self._alerts.append(
            Alert(
                key=f"{kind}:{self.head.id}:{self.head.run_count}:{key}",
                slot=self.head.slot,
                workflow_instance_id=self.head.id,
                kind=kind,
                body={"workflow": self.head.workflow, **body},
            )
        )

    # --- the graph ---------------------------------------------------------------------------

    def settle(self, task: str, outcome: Outcome) -> None:
        """Note how `task` ended and pass it on, through everything that is thereby not run; iterative."""
        ended = deque([(task, outcome)])
        while ended:
            name, how = ended.popleft()
            node = self._set_node(name, self.node(name)._replace(outcome=how, owed=False))
            started = node.started or self.attempt(name) is not None
            for downstream in self._instance.graph.downstream[name]:
                self._set_node(downstream, self.node(downstream).with_upstream(how, started=started))
                if self._consider(downstream) is Decision.NOT_RUN:
                    ended.append((downstream, Outcome.NOT_RUN))

    def rebuild(self) -> None:
        """Derive every counter, and what is owed, from the attempts: the second half of loading a run."""
        for task in self._instance.graph.order:
            attempt = self.attempt(task)
            if attempt is not None and attempt.state in OUTCOMES:
                self.settle(task, OUTCOMES[attempt.state])
            elif self._consider(task) is Decision.NOT_RUN and self.node(task).outcome is None:
                self.settle(task, Outcome.NOT_RUN)

    def converge(self) -> None:
        """Bring waiting attempts and owed nodes to what the run asks for, then end it if it is over.

        At most `context.row_limit` rows are written; what is left keeps the run unsettled.
        """
        budget = self.context.row_limit
        for attempt, target in self._to_sweep(budget):
            budget -= 1
            if target is TaskState.KILLED:
                self.end(attempt, target, reason="stopped")
            else:
                self._pretend(self.update(attempt, state=target))
        for task in self._owed_tasks():
            if budget <= 0 or self.head.state not in CREATING:
                break
            budget -= self._create(task)
        self._finish()

    def transition(self) -> Transition:
        """Return everything this draft changed."""
        if self._sequence != self.head.next_sequence:
            self.head = replace(self.head, next_sequence=self._sequence)
        return Transition(
            head=self.head if self.head is not self._instance.head else None,
            current=tuple(self._current.items()),
            nodes=tuple(self._nodes.items()),
            inserted=tuple(self._inserted.values()),
            updated=tuple(self._updated.values()),
            alerts=tuple(self._alerts),
        )

    # --- inside ------------------------------------------------------------------------------

    def _set_node(self, task: str, node: Node) -> Node:
        self._nodes[task] = node
        if node.owed:
            self._owed.append(task)
        return node

    def _consider(self, task: str) -> Decision:
        """Mark a node as owed when its trigger has just decided; return the decision if it is still open."""
        node = self.node(task)
        if node.outcome is not None or node.owed or self.attempt(task) is not None:
            return Decision.WAIT
        decision = decide_node(self.head, self.definition(task), node)
        if decision in (Decision.RUN, Decision.SKIP):
            self._set_node(task, node._replace(owed=True))
        return decision

    def _to_sweep(self, most: int) -> list[tuple[TaskInstance, TaskState]]:
        """Return waiting attempts that the run's state moves on, this draft's own ones included."""
        found = []
        states = swept_states(self.head)
        names = dict.fromkeys([*self._current, *self._instance.in_state(*states)]) if states else {}
        for task in names:
            attempt = self.attempt(task)
            if attempt is None or attempt.state not in states:
                continue
            target = sweep_target(self.head, self.definition(task), attempt)
            if target is not None:
                found.append((attempt, target))
            if len(found) == most:
                break
        return found

    def _owed_tasks(self) -> Iterator[str]:
        """Yield owed nodes, those of earlier steps first; nodes that become owed meanwhile come too."""
        for task in tuple(self._instance.owed):
            if self.node(task).owed:
                yield task
        while self._owed:
            task = self._owed.popleft()
            if self.node(task).owed:
                yield task

    def _create(self, task: str) -> int:
        """Create the attempt of an owed node; return how many rows that took."""
        node = self._set_node(task, self.node(task)._replace(owed=False))
        decision = decide_node(self.head, self.definition(task), node)
        if decision is Decision.NOT_RUN:
            self.settle(task, Outcome.NOT_RUN)
            return 0
        if decision is Decision.WAIT:  # its trigger had decided early, before the run began to end
            return 0
        definition = self.definition(task)
        waits = definition.delay_s and decision is Decision.RUN and not self.head.dry_run
        due_at = self.due(definition.delay_s) if waits else None
        attempt = self.insert(
            TaskInstance(
                workflow_instance_id=self.head.id,
                task=task,
                attempt=1,
                sequence=0,
                type=definition.type,
                state=TaskState.SKIPPED if decision is Decision.SKIP else self._state_of_new(due_at),
                ticket=self.context.new_ticket(),
                due_at=due_at,
                ended_at=self.context.now if decision is Decision.SKIP else None,
            )
        )
        if attempt.state is TaskState.SKIPPED:
            self.settle(task, Outcome.SKIPPED)
        else:
            self._pretend(attempt)
        return 1

    def _pretend(self, attempt: TaskInstance) -> None:
        """In a dry run, let a submitted attempt succeed at once: the graph is walked and nothing is executed."""
        if self.head.dry_run and attempt.state is TaskState.SUBMITTED:
            self.end(attempt, TaskState.SUCCESS, reason="dry run")

    def _state_of_new(self, due_at: datetime | None) -> TaskState:
        if self.head.state is WorkflowState.PAUSING:
            return TaskState.PAUSED
        return TaskState.SUBMITTED if due_at is None else TaskState.DELAYED

    def _owes(self) -> bool:
        """Whether a node is owed an attempt, by earlier steps or by this one."""
        return any(self.node(task).owed for task in self._instance.owed) or any(
            node.owed for node in self._nodes.values()
        )

    def _finish(self) -> None:
        """End the run when nothing is active any more (SEMANTICS section 3)."""
        if self.head.state not in _ENDING_STATES or self.count(*TASK_ACTIVE):
            return
        owes = self._owes()
        if owes and self.head.state is not WorkflowState.STOPPING:
            return
        if self._to_sweep(1):
            return
        final = final_state(self.head.state, self.count, owes=owes)
        if final is WorkflowState.PAUSED:
            self.set_head(state=final)
            return
        self.set_head(state=final, ended_at=self.context.now, paused_at=None, reason=self._reason(final))
        if final is WorkflowState.FAILURE:
            self.alert("workflow_failure", "", reason=self.head.reason)

    def _reason(self, final: WorkflowState) -> str | None:
        if final not in WORKFLOW_FINAL or final is WorkflowState.SUCCESS:
            return None
        if final is WorkflowState.STOPPED:
            return self.head.reason or "stopped"
        failed = (TaskState.FAILURE, TaskState.KILLED)
        more = self.count(*failed) - len(names := self.some_in(*failed))
        return "failed: " + ", ".join(names) + (f" and {more} more" if more > 0 else "")


_STOPPED_STATES = frozenset({WorkflowState.STOPPING, WorkflowState.STOPPED})
_ENDING_STATES = frozenset({WorkflowState.RUNNING, WorkflowState.PAUSING, WorkflowState.STOPPING})


def final_state(state: WorkflowState, count: Callable[..., int], *, owes: bool) -> WorkflowState:
    """Return the state a run goes to when nothing is active any more.

    Args:
        state: RUNNING, PAUSING or STOPPING.
        count: Gives the number of current attempts in given states.
        owes: Something is still to run.
    """
    if state is WorkflowState.PAUSING and (count(TaskState.PAUSED) or owes):
        return WorkflowState.PAUSED
    if state is WorkflowState.STOPPING and (count(TaskState.KILLED) or owes):
        return WorkflowState.STOPPED
    failed = count(TaskState.FAILURE, TaskState.KILLED)
    return WorkflowState.FAILURE if failed else WorkflowState.SUCCESS
