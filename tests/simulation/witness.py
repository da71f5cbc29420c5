"""Owns the witness: what must be true at the moment an execution begins."""

import re
from collections.abc import Callable, Iterator, Mapping

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import TaskDefinition, Trigger
from orchestrator.core.order import Order
from tests.simulation.database import Database
from tests.simulation.ledger import Execution, Ledger
from tests.simulation.plan import FORGETFUL
from tests.simulation.workload_children import CALLS
from tests.simulation.workload_maps import element, map_of
from tests.simulation.workload_words import HEARD

REFERENCE = re.compile(r"\$\{(\w+)\.(\w+)\}")

ATTEMPT = " FROM task_instance WHERE workflow_instance_id = ? AND task = ?"
HELD_PARENT = (
    "SELECT parent.state FROM workflow_instance AS child "
    "JOIN workflow_instance AS parent ON parent.id = child.parent_id "
    "WHERE child.id = ? AND child.state = 'RUNNING' AND NOT child.ending "
    "AND parent.state IN ('STOPPING', 'PAUSING', 'PAUSED') "
    "AND NOT EXISTS (SELECT 1 FROM command WHERE workflow_instance_id = child.id)"
)
RUN = "SELECT count(*) FROM workflow_instance WHERE id = ? AND state "

CONTROLS = frozenset({CommandKind.PAUSE, CommandKind.RESUME, CommandKind.STOP})


class Witness:
    """Looks at the rows when an execution begins.

    Args:
        database: Where the rows are.
        ledger: What was executed before.
        definitions: Run id to its tasks by name.
        sent: Run id to the controls that people sent, in order.
        word_of: Says the word that a called run was told.
        let_go: Says whether people let a called run go on, whatever its caller does.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        definitions: Mapping[int, Mapping[str, TaskDefinition]],
        sent: Mapping[int, list[CommandKind]],
        word_of: Callable[[int], str | None],
        let_go: Callable[[int], bool],
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._definitions = definitions
        self._sent = sent
        self._word_of = word_of
        self._let_go = let_go

    def failures(self, run: int, task: str) -> int:
        """Return how many failed attempts of a task the database has."""
        return self._database.number(f"SELECT count(*){ATTEMPT} AND state = 'FAILURE'", run, task)

    def look(self, order: Order) -> str | None:
        """Return what is wrong with the beginning of an execution, if anything."""
        return next(self._faults(order), None)

    def _faults(self, order: Order) -> Iterator[str]:
        task = (order.workflow_instance_id, order.task)
        query = f"SELECT coalesce(max(dispatch), 0){ATTEMPT} AND attempt = ?"
        if self._database.number(query, *task, order.attempt) < order.dispatch:
            yield f"O2: {order.id} runs before a commit decided it"
        if any(one.order_id == order.id and not self._is_unknown(one) for one in self._ledger.executions):
            yield f"O3: {order.id} runs twice"
        held = f"SELECT count(*){ATTEMPT} AND attempt = ? AND dispatch = ? AND state = 'PAUSED'"
        if self._database.number(held, *task, order.attempt, order.dispatch):
            yield f"O1: {order.id} runs, and its row is PAUSED"
        yield from self._too_early(order)
        yield from self._wrong_inputs(order)
        yield from self._ignored_control(order)
        yield from self._ignored_parent(order)

    def _is_unknown(self, earlier: Execution) -> bool:
        """Whether nobody could know of an execution: Redis forgot its claim, and its worker could not say so."""
        forgot = FORGETFUL.intersection(self._ledger.faults)
        return bool(forgot) and (earlier.zombie or earlier.unheard or earlier.spooled)

    def _too_early(self, order: Order) -> Iterator[str]:
        """Say which upstream has not come to its end, if the task had to wait for it."""
        task = self._definitions[order.workflow_instance_id][map_of(order.task)]
        if task.trigger in {Trigger.ONE_SUCCESS, Trigger.ONE_FAILED}:
            return
        for one in self._ledger.running():
            if (
                one.key[0] == order.workflow_instance_id
                and map_of(one.key[1]) in task.needs
                and not one.zombie
            ):
                yield f"O2: {order.id} runs before {one.order_id} has ended"

    def _wrong_inputs(self, order: Order) -> Iterator[str]:
        """Say which parameter is not what the upstream's script gave."""
        tasks = self._definitions[order.workflow_instance_id]
        task = tasks[map_of(order.task)]
        for name, text in task.params.items():
            reference = REFERENCE.fullmatch(str(text))
            given = order.params.get(name)
            if text == HEARD and given != self._word_of(order.workflow_instance_id):
                yield f"W1: {order.id} got {name} = {given!r}, and its run was told otherwise"
            if not reference:
                continue
            upstream = tasks[reference[1]]
            right = (
                self._said(order, upstream)
                if upstream.type == CALLS
                else _right_value(upstream, reference[2])
            )
            if given != right:
                yield f"O1: {order.id} got {name} = {given!r}, and {text} was to be given"

    def _said(self, order: Order, call: TaskDefinition) -> str | None:
        """Return the word of the run that a call waited for last."""
        query = f"SELECT child{ATTEMPT} AND current"
        child = self._database.number(query, order.workflow_instance_id, call.name)
        return self._word_of(child)

    def _ignored_control(self, order: Order) -> Iterator[str]:
        """Say which control was taken, and yet the run goes on as if nobody had sent it."""
        run = order.workflow_instance_id
        sent = self._sent.get(run, [])
        if not CONTROLS.issuperset(sent):  # it may have been let run again since
            return
        if not sent or self._database.number(f"{RUN} = 'RUNNING' AND NOT ending", run) == 0:
            return
        failed = "SELECT count(*) FROM error_command WHERE workflow_instance_id = ?"
        if self._database.number(failed, run):
            return
        waiting = "SELECT count(*) FROM command WHERE workflow_instance_id = ?"
        taken = [] if self._database.number(waiting, run) else [one for one in sent if one in CONTROLS]
        if CommandKind.STOP in taken:
            yield f"O1: {order.id} begins in a run that was stopped and is RUNNING"
        elif taken[-1:] == [CommandKind.PAUSE]:
            yield f"O1: {order.id} begins in a run that was paused and is RUNNING"

    def _ignored_parent(self, order: Order) -> Iterator[str]:
        """Say if a child has read its mail, and goes on although its parent is to be stopped or paused."""
        if self._let_go(order.workflow_instance_id):
            return
        for (state,) in self._database.rows(HELD_PARENT, order.workflow_instance_id):
            yield f"C1: {order.id} begins, and its run's parent is {state}"


def _right_value(upstream: TaskDefinition, output: str) -> object:
    """Return what the script of a task gives; of a map, what those of its elements do, in order."""
    if upstream.map_over is None:
        return f"{upstream.name}.{output}"
    return [f"{element(upstream.name, index)}.{output}" for index in range(len(upstream.map_over))]
