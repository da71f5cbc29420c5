"""Owns the draft: a copy-on-write view of one run on which a handler works out its transition."""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from orchestrator.core import maps
from orchestrator.core.alerting import asks_for
from orchestrator.core.command import Alert, Mail
from orchestrator.core.definition import OnFailure
from orchestrator.core.elements import group_of
from orchestrator.core.family import family_mail
from orchestrator.core.instance import Head, TaskInstance, successor
from orchestrator.core.node import OUTCOMES, Decision, Node, Outcome
from orchestrator.core.pool import in_place, moves
from orchestrator.core.run import WorkflowInstance, decide_node, fresh_nodes
from orchestrator.core.serial import turns_of_step
from orchestrator.core.settling import rebuild, settle
from orchestrator.core.status import (
    TASK_HANDED_OVER,
    TASK_INITIAL,
    WORKFLOW_FINAL,
    TaskState,
    check_task_edge,
    check_workflow_edge,
)
from orchestrator.core.transition import Context, Transition
from orchestrator.core.view import View
from orchestrator.errors import IllegalTransition


class Draft(View):
    """What one decision changes so far. It reads the instance and never mutates it.

    Args:
        instance: The run as memory has it.
        context: Time, chance and the live workers.
    """

    __slots__ = (
        "_alerts",
        "_children",
        "_inserted",
        "_mail",
        "_owed",
        "_sequence",
        "_stirred",
        "_took_turn",
        "_updated",
        "_withdrawn",
    )

    def __init__(self, instance: WorkflowInstance, context: Context) -> None:
        super().__init__(instance, context)
        self._sequence = instance.head.next_sequence
        self._owed: deque[str] = deque()
        self._inserted: dict[tuple[str, int], TaskInstance] = {}
        self._updated: dict[tuple[str, int], TaskInstance] = {}
        self._withdrawn: list[TaskInstance] = []
        self._stirred: dict[str, None] = {}
        self._alerts: list[Alert] = []
        self._mail: list[Mail] = []
        self._children: list[Head] = []
        self._took_turn = False

    # --- the rows ----------------------------------------------------------------------------

    def set_head(self, **changes: Any) -> None:
        """Change fields of the head; a change of state must be an edge of the table. What ended has no turn."""
        state = changes.get("state", self.head.state)
        if state is not self.head.state:
            check_workflow_edge(self.head.state, state)
        if state in WORKFLOW_FINAL:
            changes["has_turn"] = False
        self.head = replace(self.head, **changes)

    def update(self, attempt: TaskInstance, **changes: Any) -> TaskInstance:
        """Change fields of an attempt that exists; a change of state must be an edge of the table.

        Returns:
            The attempt after the change.

        Raises:
            IllegalTransition: There is no such edge.
        """
        changed = self._completed(attempt, replace(attempt, **changes))
        if changed.state is not attempt.state:
            check_task_edge(attempt.state, changed.state)
        where = self._inserted if (attempt.task, attempt.attempt) in self._inserted else self._updated
        where[attempt.task, attempt.attempt] = changed
        if changed.current:
            self._set_current(attempt.task, changed)
        return changed

    def insert(self, attempt: TaskInstance) -> TaskInstance:
        """Add a new attempt, which becomes the current one, and number it in order of submission.

        Raises:
            IllegalTransition: No attempt may begin in that state.
        """
        if attempt.state not in TASK_INITIAL:
            raise IllegalTransition(f"task instance: new -> {attempt.state}")
        new = replace(attempt, sequence=self._sequence, submitted_at=self.context.now)
        numbered = self._completed(None, new)
        self._sequence += 1
        self._inserted[attempt.task, attempt.attempt] = numbered
        self._set_current(attempt.task, numbered)
        if attempt.task in self._spent or attempt.task in self._instance.spent:
            self._spent[attempt.task] = None
        return numbered

    def withdraw(self, attempt: TaskInstance) -> None:
        """Let a current attempt that has ended count no longer: its task is to be run again."""
        self._withdrawn.append(attempt)
        self._set_current(attempt.task, None)
        self._spent[attempt.task] = attempt.attempt

    def end(self, attempt: TaskInstance, state: TaskState, **changes: Any) -> None:
        """End an attempt for good and tell its downstreams; an element has none, its group tells them."""
        self.update(attempt, state=state, ended_at=self.context.now, due_at=None, **changes)
        outcome, group = OUTCOMES[state], group_of(attempt.task)
        if state is TaskState.FAILURE and group is None:
            key, reason = f"{attempt.task}:{attempt.attempt}", changes.get("reason", attempt.reason)
            self.alert_if_asked(
                "task_failure", key, task=attempt.task, attempt=attempt.attempt, reason=reason
            )
        if outcome is Outcome.FAILED and (group or attempt.task) not in self.graph.absorbed:
            self._end_after_failure()
        if group is None:
            self.settle(attempt.task, outcome)

    def replace_attempt(self, attempt: TaskInstance, state: TaskState, **changes: Any) -> None:
        """Put a new attempt in the place of one that ended in `state` (a retry, or after a loss)."""
        closed = self.update(attempt, state=state, ended_at=self.context.now, due_at=None)
        self._updated[attempt.task, attempt.attempt] = replace(closed, current=False)
        if state is TaskState.LOST:
            key = f"{attempt.task}:{attempt.attempt}"
            self.alert_if_asked(
                "task_lost", key, task=attempt.task, attempt=attempt.attempt, reason=attempt.reason
            )
        due_at = changes.pop("due_at", None)
        state, ticket = self.state_of_new(attempt.task, due_at), self.context.new_ticket()
        self.insert(successor(attempt, state=state, ticket=ticket, due_at=due_at, **changes))

    # --- what others hear --------------------------------------------------------------------

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

    def alert_if_asked(self, kind: str, key: str, **body: Any) -> None:
        """Tell people if the workflow's `alerts` name this event: nobody else wants to hear of every success."""
        if not self.head.dry_run and asks_for(self._instance.definition.alerts, kind):
            self.alert(kind, key, **body)

    def mail(self, mail: Mail) -> None:
        """Leave a command for another run, in the same transaction."""
        self._mail.append(mail)

    def bear(self, child: Head) -> None:
        """Let a child of this run begin, in the same transaction."""
        self._children.append(child)

    def take_turn(self) -> None:
        """Begin a run that was given its turn; the commit refuses it if it was not."""
        self._took_turn = True

    # --- the graph ---------------------------------------------------------------------------

    def settle(self, task: str, outcome: Outcome) -> None:
        """Note how `task` ended and pass it on, through everything that is thereby not run."""
        settle(self, task, outcome)

    def set_node(self, task: str, node: Node) -> Node:
        """Change the counters of a task, and remember what it owes."""
        self._nodes[task] = node
        if node.owed:
            self._owed.append(task)
        return node

    def rebuild(self) -> None:
        """Derive every counter, and what is owed, from the attempts: the second half of loading a run."""
        rebuild(self)

    def renew(self) -> None:
        """Derive every counter anew, when attempts that had ended changed or do not count any more: O(tasks)."""
        self._nodes = fresh_nodes(self.graph)
        self._owed.clear()
        rebuild(self)

    def owed_tasks(self) -> Iterator[str]:
        """Yield owed nodes, those of earlier steps first; nodes that become owed meanwhile come too."""
        for task in tuple(self._instance.owed):
            if self.node(task).owed:
                yield task
        while self._owed:
            task = self._owed.popleft()
            if self.node(task).owed:
                yield task

    def take_owed(self, task: str) -> Decision:
        """Note that a node is no longer owed its attempt; return what its trigger says now."""
        node = self.set_node(task, self.node(task)._replace(owed=False))
        return decide_node(self.head, self.definition(task), node)

    def stir(self, group: str) -> None:
        """Note that something happened to a map."""
        self._stirred[group] = None

    def stirred(self) -> list[str]:
        """Return the maps that something happened to: all, if the run goes on in another way."""
        old, new = self._instance.head, self.head
        turned = (old.state, old.ending, old.held) != (new.state, new.ending, new.held)
        return list(self.graph.mapped if turned else self._stirred)

    def transition(self) -> Transition:
        """Return everything this draft changed."""
        run = self._instance
        if self._sequence != self.head.next_sequence:
            self.head = replace(self.head, next_sequence=self._sequence)
        inserted, updated = tuple(self._inserted.values()), tuple(self._updated.values())
        return Transition(
            head=self.head if self.head is not run.head else None,
            current=tuple(self._current.items()),
            nodes=tuple(self._nodes.items()),
            inserted=inserted,
            updated=updated,
            withdrawn=tuple(self._withdrawn),
            spent=tuple(self._spent.items()),
            alerts=tuple(self._alerts),
            mail=(
                *self._mail,
                *family_mail(run, self.head, self._current, self._children, self.context.row_limit),
            ),
            children=tuple(self._children),
            **moves(self.head, self.definition, self._instance.attempts, (*updated, *inserted)),
            turns=turns_of_step(run.definition, run.head, self.head, took=self._took_turn),
        )

    # --- inside ------------------------------------------------------------------------------

    def _set_current(self, task: str, attempt: TaskInstance | None) -> None:
        """Make it the current attempt of its task; an element is counted where it stands now."""
        group = group_of(task) or task
        if group is not task:
            maps.count_element(self, group, self.attempt(task), attempt)
        elif self.node(task).elements is not None:
            self.stir(task)
        self._current[task] = attempt

    def _completed(self, old: TaskInstance | None, new: TaskInstance) -> TaskInstance:
        """Give it its place in a pool, and a queue timeout from when a worker, or a slot, could be had for it.

        That stays as it is, until it is paused, also if a claim that came to nothing takes it out of its queue.
        """
        task = self.definition(new.task)
        new, limit_s = in_place(self.head, task, old, new), task.queue_timeout_s
        if limit_s is None or new.started_at is not None:
            return new
        if new.state is TaskState.PAUSED:
            return replace(new, queue_timeout_at=None)
        waited = old is not None and old.state in TASK_HANDED_OVER
        if waited or new.state not in TASK_HANDED_OVER or new.queue_timeout_at is not None:
            return new
        return replace(new, queue_timeout_at=self.due(limit_s))

    def _end_after_failure(self) -> None:
        """Under `on_failure: end`, let nothing new start."""
        if self.head.on_failure is OnFailure.END and not self.is_stopping:
            self.set_head(ending=True)
