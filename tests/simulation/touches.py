"""Owns the people who control called runs by hand: early, late, twice, and whatever their callers are doing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from orchestrator.core.command import CommandKind
from orchestrator.core.status import WorkflowState
from orchestrator.store.commands import Commands
from tests.simulation.database import Database
from tests.simulation.kinship import PlannedRuns
from tests.simulation.ledger import AttemptKey, Execution, Ledger
from tests.simulation.plan import UNTIL_OVER, UNTIL_REPORTED, PlannedTouch
from tests.simulation.schedule import Schedule
from tests.simulation.story import Story
from tests.simulation.workload_checks import ABSENT, ROWS

LOOK_S = 0.3
"""How often somebody looks who waits for a child, or for its end."""

ENDED = frozenset({"SUCCESS", "FAILURE", "STOPPED"})

CLOSE_S = 0.005
"""How often he does who waits for the moment between the end of a child's work and what comes of it."""

PATIENCE_S = {UNTIL_REPORTED: 10.0, UNTIL_OVER: 30.0}
"""How long somebody waits for such a moment at most."""

MOSTLY = 0.8
"""How often a touch is for a child that it does something to."""

CALLER = "caller "
"""How a step begins that goes to the run that called the touched one."""

NO_ATTEMPT = 1_000
"""The number of an attempt that no task has: what speaks of it is refused."""

LETTING_GO = frozenset(
    {CommandKind.RESUME, CommandKind.RECOVER, CommandKind.RERUN, CommandKind.FORCE_SUCCESS}
)

BELOW = (
    "WITH RECURSIVE below(id) AS (SELECT id FROM workflow_instance WHERE parent_id = ? UNION ALL "
    "SELECT run.id FROM workflow_instance AS run JOIN below ON run.parent_id = below.id) "
    "SELECT run.id, run.state FROM workflow_instance AS run JOIN below USING (id) ORDER BY run.id"
)
RUN = "SELECT state, run_count, parent_id FROM workflow_instance WHERE id = ?"
FORCIBLE = (
    "SELECT task, attempt, state FROM task_instance WHERE workflow_instance_id = ? AND current "
    "AND type IN ('noop', 'approval') AND state IN ('FAILURE', 'KILLED') ORDER BY task"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What these people have at hand.

    Attributes:
        runs: Position in the plan to the run that was submitted for it.
        sent: Submitted run to the controls that people sent it.
        woken: Called with the slot of a run that has a command.
    """

    schedule: Schedule
    database: Database
    commands: Commands
    planned: PlannedRuns
    ledger: Ledger
    runs: Mapping[int, int]
    sent: dict[int, list[CommandKind]]
    woken: Callable[[int], Any]
    story: Story


class Touches:
    """People who lay hands on called runs.

    Args:
        reach: What they have at hand.

    Attributes:
        sent: What they sent to each run that was called.
        forced: What they declared a success, or tried to, and what it was.
        left: How many have not done yet what they are going to do.
    """

    def __init__(self, reach: Reach) -> None:
        self.sent: dict[int, list[CommandKind]] = {}
        self.forced: dict[AttemptKey, str] = {}
        self.left = 0
        self._reach = reach
        self._seen: dict[PlannedTouch, int] = {}

    def begin(self, touches: Sequence[PlannedTouch]) -> None:
        """Put what they are going to do into the calendar."""
        self.left = len(touches)
        for touch in touches:
            self._reach.schedule.at(touch.at_s, partial(self._find, touch))

    def stopped(self, run: int) -> bool:
        """Return whether they stopped a run, or tried to."""
        return CommandKind.STOP in self.sent.get(run, [])

    def let_go(self, run: int) -> bool:
        """Return whether a run may go on by their word, whatever its caller does."""
        return not LETTING_GO.isdisjoint(self.sent.get(run, []))

    # --- whom, and when ----------------------------------------------------------------------

    def _find(self, touch: PlannedTouch) -> None:
        """Choose a child when its moment has come; where there will be none, there is none."""
        caller = self._reach.runs.get(touch.run)
        children = [] if caller is None else self._reach.database.rows(BELOW, caller)
        ripe = [number for number, state in children if self._is_ripe(touch, number, state)]
        if ripe:
            child = self._chosen(ripe, touch)
            self._seen[touch] = len(self._executions(child))
            self._go_on(touch, child, touch.steps)
        elif caller is not None and not children and self._state(caller) in ENDED:
            self.left -= 1
        else:
            self._later(partial(self._find, touch))

    def _is_ripe(self, touch: PlannedTouch, child: int, state: str) -> bool:
        if touch.moment == "over" and self._state(self._parent(child)) not in ENDED:
            return False
        return touch.moment == "now" or state in ENDED

    def _chosen(self, ripe: Sequence[int], touch: PlannedTouch) -> int:
        """Return one that goes on, if they are touched now; else mostly one that has failed, or was stopped."""
        wanted = {"FAILURE", "STOPPED"} if touch.moment != "now" else set(WorkflowState) - ENDED
        found = [one for one in ripe if self._state(one) in wanted]
        return int(_picked(found if found and touch.pick < MOSTLY else ripe, touch))

    def _go_on(self, touch: PlannedTouch, child: int, steps: Sequence[str]) -> None:
        """Take the next step, or wait for its moment."""
        if not steps:
            self.left -= 1
        elif steps[0] in PATIENCE_S:
            until_s = self._reach.schedule.now_s + PATIENCE_S[steps[0]]
            self._wait(touch, child, steps, until_s)
        else:
            self._take(touch, child, steps[0])
            self._later(partial(self._go_on, touch, child, steps[1:]), touch.every_s)

    def _wait(self, touch: PlannedTouch, child: int, steps: Sequence[str], until_s: float) -> None:
        """Wait for a moment, but not for ever: somebody else may have paused the child."""
        is_close = steps[0] == UNTIL_REPORTED
        has_come = self._has_reported(touch, child) if is_close else self._state(child) in ENDED
        if has_come or self._reach.schedule.now_s >= until_s:
            self._go_on(touch, child, steps[1:])
        else:
            pause_s = CLOSE_S if is_close else LOOK_S
            self._later(partial(self._wait, touch, child, steps, until_s), pause_s)

    def _has_reported(self, touch: PlannedTouch, child: int) -> bool:
        """Whether something was executed since the touch began, and nothing is any more; rows may lag behind."""
        mine = self._executions(child)
        return len(mine) > self._seen[touch] and all(one.ended_s is not None for one in mine)

    def _executions(self, child: int) -> list[Execution]:
        return [one for one in self._reach.ledger.executions if one.key[0] == child]

    def _later(self, what: Callable[[], None], seconds: float = LOOK_S) -> None:
        self._reach.schedule.at(self._reach.schedule.now_s + seconds, what)

    # --- what --------------------------------------------------------------------------------

    def _take(self, touch: PlannedTouch, child: int, step: str) -> None:
        run = self._parent(child) if step.startswith(CALLER) else child
        match step.removeprefix(CALLER):
            case "hold":
                self._send(touch, run, CommandKind.PAUSE, {"task": self._task(touch, run)})
            case "release":
                self._send(touch, run, CommandKind.RESUME, {"task": self._task(touch, run)})
            case "force":
                self._force(touch, run)
            case "recover" | "rerun" as kind:
                body: dict[str, object] = {"run_count": self._run_count(run)}
                if kind == "rerun" and touch.twice and run == child:
                    body["from"] = self._task(touch, run)
                self._send(touch, run, CommandKind[kind.upper()], body)
            case kind:
                self._send(touch, run, CommandKind[kind.upper()], {})

    def _force(self, touch: PlannedTouch, run: int) -> None:
        """Declare what failed a success, and recover what is behind it; where nothing has, that is refused."""
        forcible = (
            self._reach.database.rows(FORCIBLE, run) if self._state(run) in {"FAILURE", "STOPPED"} else []
        )
        if not forcible:
            forcible = [(self._task(touch, run), NO_ATTEMPT, "")]
        task, attempt, state = _picked(forcible, touch)
        self.forced[run, task, attempt] = state
        declared = next(one for one in self._reach.planned[run].definition.tasks if one.name == task).outputs
        given: dict[str, object] = {name: f"{task}.{name}" for name in declared if name != ABSENT}
        outputs = given | {ROWS: 1} if ROWS in given else given
        body = {"task": task, "attempt": attempt, "outputs": outputs}
        self._send(touch, run, CommandKind.FORCE_SUCCESS, body)
        self._send(touch, run, CommandKind.RECOVER, {})

    def _send(self, touch: PlannedTouch, run: int, kind: CommandKind, body: Mapping[str, object]) -> None:
        is_called = run not in self._reach.runs.values()
        if not is_called and kind is CommandKind.STOP and self._state(run) in ENDED:
            return  # as with all plans: who is stopped too late would be judged as if he had been stopped
        sent = self.sent if is_called else self._reach.sent
        sent.setdefault(run, []).append(kind)
        self._reach.story.tell("people", f"by hand: {kind} run {run} {dict(body)}")
        for _ in range(1 + touch.twice):
            slot = self._reach.commands.send(run, kind, body).slot
        self._reach.woken(slot)

    # --- what there is -----------------------------------------------------------------------

    def _task(self, touch: PlannedTouch, run: int) -> str:
        tasks = [task.name for task in self._reach.planned[run].definition.tasks]
        return str(_picked(tasks, touch))

    def _state(self, run: int) -> str:
        return str(self._row(run)[0])

    def _run_count(self, run: int) -> int:
        return int(self._row(run)[1])

    def _parent(self, run: int) -> int:
        return int(self._row(run)[2])

    def _row(self, run: int) -> tuple[Any, ...]:
        ((*values,),) = self._reach.database.rows(RUN, run)
        return tuple(values)


def _picked(some: Sequence[Any], touch: PlannedTouch) -> Any:
    return some[int(touch.pick * len(some))]
