"""Any workflows under any commands, faults and reports: they end, and never contradict the reference model.

Hypothesis plays people, one worker by hand, time, deaths of masters and failing commits around the real core, loop
and store (SQLite in memory, nothing waits for a clock). After each commit `reference.Reference` looks at the rows.
At the end only what people had paused is resumed, everything must end, and again when all is recovered or rerun.

Teeth: each of these was seen to fail, most within a run or two:
- `family.mail_to_children` mails no RESUME: a child is left PAUSED;
- `convergence._first_attempt` begins with all `failures` used up: "is given up after 1 failures";
- `branches.edge_outcome` lets each branch count: "is SUBMITTED, and by its upstreams it is skipped";
- `pool.moves` keeps the slot of what is KILLED: "is KILLED and has a slot of a pool";
- `again._begin_again` asks for no turn (`waits = False`): "2 runs of gamma have the turn at a time";
- `draft.failed` forgets what is absorbed, or `final_state` what was killed: it ends in another state;
- `WorkflowInstance.apply` leaves the attempts out of its inverse: a failed commit, and a run that is over goes on.
"""

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from orchestrator.core.command import CommandKind
from orchestrator.core.order import Order
from tests.properties.stateful.drawing import EXECUTIONS, plans
from tests.properties.stateful.plan import Plan
from tests.properties.stateful.stage import Database, Stage
from tests.simulation.story import quiet

K = CommandKind
EXAMPLES = 40
STEPS = 30

SETTINGS = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
"""Not derandomized: each run of the tests looks at other examples."""

NAMES = st.sampled_from(tuple(EXECUTIONS))
PICK = st.integers(0, 9)
TIMES = st.sampled_from((1, 1, 1, 2))


class Orchestra(RuleBasedStateMachine):
    """People, workers, time and faults, at random.

    Args:
        database: Where everything is written.
    """

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.stage = Stage(database)

    @initialize(plan=plans(), name=NAMES)
    def begin(self, plan: Plan, name: str) -> None:
        """There is something to do."""
        self.stage.submit(plan, name)

    @precondition(lambda self: len(self.stage.reference.tops) < 4)
    @rule(plan=plans(), name=NAMES)
    def submit(self, plan: Plan, name: str) -> None:
        """Another run begins."""
        self.stage.submit(plan, name)

    # --- workers and time --------------------------------------------------------------------

    @rule(silently=st.booleans())
    def take(self, *, silently: bool) -> None:
        """The worker takes an order; its RUNNING may come later than its RESULT, or never."""
        self.stage.take(silently=silently)

    @precondition(lambda self: self.stage.held)
    @rule(pick=PICK, success=st.booleans(), rows=st.sampled_from((3, 9)))
    def end(self, pick: int, rows: int, *, success: bool) -> None:
        """An attempt ends."""
        self.stage.end(self._order(pick), success=success, rows=rows)

    @rule(most=st.integers(1, 6), success=st.booleans())
    def work(self, most: int, *, success: bool) -> None:
        """The worker does what it finds."""
        for _ in range(most):
            self.stage.take()
            if not self.stage.held:
                break
            self.stage.end(self.stage.held[0], success=success)

    @precondition(lambda self: self.stage.held)
    @rule(pick=PICK, seconds=st.sampled_from((0.0, 2.0)))
    def defer(self, pick: int, seconds: float) -> None:
        """An attempt asks to be called again."""
        self.stage.defer(self._order(pick), seconds)

    @precondition(lambda self: self.stage.held)
    @rule(pick=PICK)
    def reject(self, pick: int) -> None:
        """The worker gives an order back."""
        self.stage.reject(self._order(pick))

    @precondition(lambda self: self.stage.held)
    @rule(pick=PICK)
    def lose_child(self, pick: int) -> None:
        """The process of an attempt dies."""
        self.stage.end(self._order(pick), success=False, error="ChildDied")

    @precondition(lambda self: self.stage.held)
    @rule()
    def obey(self) -> None:
        """The worker ends what it was told to end; until then it may say something else."""
        self.stage.obey()

    @precondition(lambda self: self.stage.held)
    @rule()
    def kill_worker(self) -> None:
        """The worker dies and comes back."""
        self.stage.kill_worker()

    @precondition(lambda self: self.stage.late)
    @rule()
    def report_late(self) -> None:
        """What the dead worker had to say arrives."""
        self.stage.report_late()

    @rule(seconds=st.sampled_from((1.0, 5.0, 5.0, 30.0)))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.stage.pass_time(seconds)

    # --- people ------------------------------------------------------------------------------

    @rule(pick=PICK, kind=st.sampled_from((K.PAUSE, K.RESUME, K.PAUSE, K.STOP, K.RECOVER)), times=TIMES)
    def control(self, pick: int, kind: CommandKind, times: int) -> None:
        """Somebody asks for something that concerns a whole run, whether or not it fits."""
        self.stage.ask(self._run(pick, ended=kind is K.RECOVER), kind, kind.lower(), times)

    @rule(pick=PICK, task=PICK, where=st.sampled_from((None, "from", "only")), times=TIMES)
    def rerun(self, pick: int, task: int, where: str | None, times: int) -> None:
        """Somebody asks for a rerun of all, of a task and what is behind it, or of one task."""
        run = self._run(pick, ended=True)
        body = {} if where is None else {where: self._task(run, task)}
        self.stage.ask(run, K.RERUN, "rerun", times, **body)

    @rule(pick=PICK, task=PICK, kind=st.sampled_from((K.PAUSE, K.RESUME)), times=TIMES)
    def hold(self, pick: int, task: int, kind: CommandKind, times: int) -> None:
        """Somebody holds one task, or lets it go on."""
        run = self._run(pick, ended=False)
        what = "hold" if kind is K.PAUSE else "release"
        self.stage.ask(run, kind, what, times, task=self._task(run, task))

    @rule(pick=PICK, task=PICK, times=TIMES)
    def force_success(self, pick: int, task: int, times: int) -> None:
        """Somebody declares a task a success."""
        run = self._run(pick, ended=True)
        self.stage.ask(run, K.FORCE_SUCCESS, "force", times, task=self._task(run, task))

    @rule(pick=PICK, task=PICK, approves=st.booleans(), times=TIMES)
    def signal(self, pick: int, task: int, times: int, *, approves: bool) -> None:
        """Somebody answers an approval, or what is none."""
        run = self._run(pick, ended=False)
        task_name = self.stage.approval(run) or self._task(run, task)
        self.stage.ask(run, K.SIGNAL, "signal", times, task=task_name, outputs={"approved": approves})

    # --- faults ------------------------------------------------------------------------------

    @rule()
    def restart_master(self) -> None:
        """The master dies; another one knows only the rows."""
        self.stage.restart_master()

    @rule(failing=st.lists(st.booleans(), min_size=1, max_size=3))
    def fail_commits(self, failing: list[bool]) -> None:
        """The next commits fail, before they are done (false) or with their replies lost (true)."""
        self.stage.failing = failing

    # --- what must hold ----------------------------------------------------------------------

    @invariant()
    def nothing_contradicts_the_model(self) -> None:
        """Nothing that was committed contradicts the model."""
        assert not self.stage.faults, "\n".join(self.stage.faults)

    def teardown(self) -> None:
        """Everything goes on, and ends; then it runs once more, and ends again."""
        for step in (self.stage.play_on, self.stage.run_again, self.stage.play_on):
            if not self.stage.faults:
                step()
        assert not self.stage.faults, "\n".join(self.stage.faults)

    def _run(self, pick: int, *, ended: bool) -> int:
        """Return a run, mostly one that has ended, or one that has not."""
        runs = self.stage.runs
        fitting = [one for one in runs if self.stage.reference.new.runs[one].is_over is ended]
        chosen = fitting if fitting and pick < 8 else runs
        return chosen[pick % len(chosen)]

    def _task(self, run: int, pick: int) -> str:
        tasks = self.stage.tasks(run)
        return tasks[pick % len(tasks)]

    def _order(self, pick: int) -> Order:
        return self.stage.held[pick % len(self.stage.held)]


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    """A database for all examples, and no log lines."""
    quiet()
    database = Database()
    yield database
    database.close()
    structlog.reset_defaults()


def test_whatever_happens_every_run_ends_as_the_reference_model_allows(database: Database) -> None:
    """Random workflows of all types of tasks, commands, reports, losses, restarts and failing commits."""

    class OnDatabase(Orchestra):
        """Made without arguments, as Hypothesis wants it."""

        def __init__(self) -> None:
            super().__init__(database)

    run_state_machine_as_test(OnDatabase, settings=SETTINGS)
