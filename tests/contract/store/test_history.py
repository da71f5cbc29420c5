"""What dependent tasks are told about other workflows' runs: the one that ended last in each slot."""

from dataclasses import replace
from datetime import timedelta

from orchestrator.core.changes import InstanceChange
from orchestrator.core.dependence import Answer, Question
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.core.windows import Slot
from orchestrator.store.history import QUESTIONS_AT_ONCE, History
from tests.contract.store.bench import AT, Bench, make_attempt

HOUR = timedelta(hours=1)
SUCCESS, FAILURE, STOPPED = WorkflowState.SUCCESS, WorkflowState.FAILURE, WorkflowState.STOPPED


def a_slot(begin_h: int = 0) -> Slot:
    """An hour that begins this long after AT."""
    begin = AT + begin_h * HOUR
    return Slot(begin=begin, until=begin + HOUR, label="then")


def about(task: str | None = None, workflow: str = "nightly", slot: Slot | None = None) -> Question:
    """A question about the hour from AT on."""
    return Question(workflow=workflow, task=task, slot=slot or a_slot())


def a_run(
    bench: Bench,
    state: WorkflowState,
    *,
    minutes: float = 0,
    ended_h: int = 5,
    tasks: dict[str, TaskState] | None = None,
    **fields: object,
) -> int:
    """A run planned so many minutes after AT; with `RUNNING` it has not ended."""
    planned = AT + timedelta(minutes=minutes)
    run = bench.load(bench.submit(definition_id=bench.deploy().id, planned_time=planned, **fields).id)
    ended_at = AT + ended_h * HOUR
    new = tuple(
        make_attempt(run, task, sequence=number, state=how, ended_at=ended_at)
        for number, (task, how) in enumerate((tasks or {}).items(), start=1)
    )
    head = replace(run.head, state=state, ended_at=None if state is WorkflowState.RUNNING else ended_at)
    bench.commit(InstanceChange(head=head, revision=0, new=new))
    return run.head.id


def answer(bench: Bench, question: Question) -> Answer:
    """Return what the database says to one question."""
    return History(bench.engine).answers([question])[question]


def test_a_slot_without_any_run_has_neither_an_ended_nor_an_open_one(bench: Bench) -> None:
    """A run planned right after it does not count, nor one of another workflow."""
    a_run(bench, SUCCESS, minutes=60)
    a_run(bench, SUCCESS, minutes=-0.001)

    assert answer(bench, about()) == Answer()
    assert answer(bench, about(workflow="weekly", slot=a_slot(1))) == Answer()


def test_the_run_that_ended_last_counts_whatever_its_planned_time(bench: Bench) -> None:
    """Both ends of the slot: the first moment belongs to it."""
    last = a_run(bench, FAILURE, minutes=0, ended_h=7)
    a_run(bench, SUCCESS, minutes=59, ended_h=6)

    assert answer(bench, about()) == Answer(run=last, state=FAILURE, open=True)


def test_a_run_that_has_not_ended_is_open_and_does_not_replace_one_that_has(bench: Bench) -> None:
    """The latest finished one counts."""
    a_run(bench, WorkflowState.RUNNING, minutes=1)
    assert answer(bench, about()) == Answer(open=True)

    ended = a_run(bench, SUCCESS)

    assert answer(bench, about()) == Answer(run=ended, state=SUCCESS, open=True)


def test_a_task_counts_as_soon_as_it_has_ended_itself(bench: Bench) -> None:
    """Its run may go on, and fail for another reason."""
    run = a_run(bench, WorkflowState.RUNNING, tasks={"load": TaskState.SUCCESS, "last": TaskState.RUNNING})

    assert answer(bench, about("load")) == Answer(
        run=run, state=WorkflowState.RUNNING, task_state=TaskState.SUCCESS, open=True
    )
    assert answer(bench, about("last")) == Answer(open=True)


def test_a_task_that_never_ran_is_told_with_the_run_that_ended_without_it(bench: Bench) -> None:
    """It was not run because of a failure, or is no task of that workflow."""
    run = a_run(bench, FAILURE, tasks={"extract": TaskState.FAILURE})

    assert answer(bench, about("load")) == Answer(run=run, state=FAILURE, open=True)


def test_only_the_current_attempt_of_a_task_counts(bench: Bench) -> None:
    """One that failed and is tried again has not ended."""
    number = a_run(bench, WorkflowState.RUNNING)
    run = bench.load(number)
    failed = make_attempt(run, "load", state=TaskState.FAILURE, current=False, ended_at=AT)
    again = make_attempt(run, "load", attempt=2, sequence=2, state=TaskState.RUNNING)
    bench.commit(InstanceChange(head=run.head, revision=run.revision, new=(failed, again)))

    assert answer(bench, about("load")) == Answer(open=True)


def test_a_dry_run_is_no_run(bench: Bench) -> None:
    """Nothing was done in it."""
    a_run(bench, SUCCESS, dry_run=True)

    assert answer(bench, about()) == Answer()


def test_hundreds_of_questions_are_answered_at_once(bench: Bench) -> None:
    """Each with its own answer."""
    run = a_run(bench, SUCCESS)
    asked = [about(slot=a_slot(number)) for number in range(QUESTIONS_AT_ONCE + 50)]

    answers = History(bench.engine).answers([*asked, asked[0]])

    assert [one.run for one in map(answers.__getitem__, asked)] == [run] + [None] * (len(asked) - 1)


def test_run_that_was_stopped_before_it_began_hides_none_that_ran(bench: Bench) -> None:
    """A newcomer of a serial workflow that is stopped at once; alone in its slot it counts as what it is."""
    a_run(bench, STOPPED, ended_h=6)
    assert answer(bench, about()).state is STOPPED

    ran = a_run(bench, SUCCESS, ended_h=5)

    assert (answer(bench, about()).run, answer(bench, about()).state) == (ran, SUCCESS)
