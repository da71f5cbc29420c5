"""Children of a run, in the core: when they begin, what is asked of them, and what their ends mean."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.core.command import Command, CommandKind, Mail
from orchestrator.core.definition import OnFailure, TaskDefinition, Trigger
from orchestrator.core.family import answer_to, is_mail
from orchestrator.core.instance import Head
from orchestrator.core.notice import AttemptTimeout, ChildReady, RunTimeout, Unsubmittable
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.core.wants import Judge, TimeoutAt, WakeAt, Withdraw
from orchestrator.errors import RepeatedEvent
from tests.builders import INSTANCE_ID, a_definition, a_head, a_task
from tests.unit.core.play import Play, a_play, started

CHILD = 100
K = CommandKind


def a_sub(name: str = "sub", *needs: str, **fields: Any) -> TaskDefinition:
    """Return a task whose child is of the workflow `kid`."""
    return a_task(name, *needs, **{"type": "sub_workflow", "spec": {"workflow": "kid"}, **fields})


def child_head(number: int = CHILD) -> Head:
    """Return the head of a child that is to begin."""
    return replace(a_head(), id=number, workflow="kid", parent_id=INSTANCE_ID, parent_task="sub")


def begun(*tasks: TaskDefinition, done: bool = False, **fields: Any) -> Play:
    """Return a started play whose task `sub` waits for its child, behind a task `first` that failed if `done`."""
    play = started(*(tasks or (a_sub(),)), **fields)
    if done:
        play.fail("first")
    play.notify("sub", ChildReady, child=child_head())
    return play


def changed(play: Play, state: WorkflowState | None, child: int = CHILD, **said: Any) -> None:
    """Let the parent hear how its child stands."""
    play.command(K.CHILD_CHANGED, task="sub", child=child, state=state, **said)


def mail_of(play: Play) -> list[tuple[int, CommandKind]]:
    """Return receiver and kind of what the last step sent."""
    return [(mail.workflow_instance_id, mail.kind) for mail in play.last.mail]


def test_submitted_task_asks_for_its_child() -> None:
    """Its values have to be worked out; no worker ever sees it."""
    play = started(a_sub())

    assert play.wants("sub") == Judge()
    assert play.last.children == ()


def test_child_begins_in_the_step_in_which_its_task_runs() -> None:
    """There is never one without the other, and nothing is asked of a child that has just begun."""
    play = begun(a_sub(timeout_s=60.0))

    assert (play["sub"].state, play["sub"].child) == (TaskState.RUNNING, CHILD)
    assert play.last.children == (child_head(),)
    assert not play.last.mail
    assert isinstance(play.wants("sub"), TimeoutAt)


def test_second_child_of_one_attempt_never_begins() -> None:
    """A notice that comes twice is void."""
    play = begun()

    with pytest.raises(RepeatedEvent):
        play.notify("sub", ChildReady, child=child_head(101))


def test_child_does_not_begin_while_its_parent_pauses() -> None:
    """The task is held before it; on resume it asks again."""
    play = started(a_sub())
    play.command(K.PAUSE)
    assert play.wants("sub") == Withdraw()

    with pytest.raises(RepeatedEvent):
        play.notify("sub", ChildReady, child=child_head())


def test_task_without_a_possible_child_fails() -> None:
    """The reason is that of the refusal."""
    play = started(a_sub())
    play.notify("sub", Unsubmittable, reason="there is no workflow 'kid'")

    assert (play.state, play["sub"].reason) == (WorkflowState.FAILURE, "there is no workflow 'kid'")


def test_success_of_the_child_brings_its_outputs() -> None:
    """They are the task's own, for everything downstream."""
    play = begun(a_sub(), a_task("next", "sub"))
    changed(play, WorkflowState.SUCCESS, outputs={"total": 3})

    assert (play["sub"].state, play["sub"].outputs) == (TaskState.SUCCESS, {"total": 3})
    assert play["next"].state is TaskState.SUBMITTED


@pytest.mark.parametrize(
    ("outputs", "fault"),
    [
        ({"text": "x" * 70_000}, "bytes, at most 65536"),
        ({}, "'rows' is declared and missing"),
        ({"rows": "many"}, "'rows': expected an integer, got string"),
    ],
)
def test_outputs_that_cannot_be_the_task_s_fail_it(outputs: dict[str, Any], fault: str) -> None:
    """Too many bytes, or not what is declared."""
    play = begun(a_sub(outputs={"rows": "integer"}))
    changed(play, WorkflowState.SUCCESS, outputs={"rows": 1, **outputs} if "text" in outputs else outputs)

    assert play["sub"].state is TaskState.FAILURE
    assert fault in str(play["sub"].reason)


def test_failure_of_the_child_is_the_task_s_and_names_the_run() -> None:
    """People find the run that went wrong."""
    play = begun()
    changed(play, WorkflowState.FAILURE, reason="failed: x")

    assert (play["sub"].state, play["sub"].reason) == (TaskState.FAILURE, "its run 100 failed: failed: x")
    assert play.state is WorkflowState.FAILURE


def test_retry_starts_a_new_child() -> None:
    """The old one stays as it ended; its late mail means nothing."""
    play = begun(a_sub(retries=1, retry_delay_s=5.0))
    changed(play, WorkflowState.FAILURE)
    assert (play["sub"].attempt, play["sub"].child) == (2, None)
    assert isinstance(play.wants("sub"), WakeAt)

    with pytest.raises(RepeatedEvent):
        changed(play, WorkflowState.SUCCESS)


def test_stopped_child_kills_its_task() -> None:
    """A person stopped it: it is not tried again."""
    play = begun(a_sub(retries=3))
    changed(play, WorkflowState.STOPPED)

    assert (play["sub"].state, play.state) == (TaskState.KILLED, WorkflowState.FAILURE)


def test_child_that_is_gone_fails_its_task() -> None:
    """Somebody deleted it: nobody waits for ever."""
    play = begun()
    changed(play, None)

    assert play["sub"].reason == "its run 100 does not exist any more"


@pytest.mark.parametrize("state", [WorkflowState.RUNNING, WorkflowState.PAUSED, WorkflowState.STOPPING])
def test_child_that_goes_on_changes_nothing(state: WorkflowState) -> None:
    """Neither does one that a person paused by hand."""
    play = begun()

    with pytest.raises(RepeatedEvent):
        changed(play, state)


def test_pause_reaches_the_child_and_comes_back() -> None:
    """The task is paused when its child is, and the run when its tasks are."""
    play = begun()
    play.command(K.PAUSE)
    assert mail_of(play) == [(CHILD, K.PAUSE)]
    assert (play["sub"].state, play.state) == (TaskState.RUNNING, WorkflowState.PAUSING)

    changed(play, WorkflowState.PAUSED)

    assert (play["sub"].state, play.state) == (TaskState.PAUSED, WorkflowState.PAUSED)


def test_resume_reaches_the_same_child() -> None:
    """No second one begins; the clock of its timeout begins anew."""
    play = begun(a_sub(timeout_s=60.0))
    play.command(K.PAUSE)
    changed(play, WorkflowState.PAUSED)
    play.wait(3600)
    play.command(K.RESUME)

    assert mail_of(play) == [(CHILD, K.RESUME)]
    assert (play["sub"].state, play["sub"].child) == (TaskState.RUNNING, CHILD)
    assert play.wants("sub") == TimeoutAt(play.context.now + timedelta(seconds=60))


def test_resume_before_the_child_has_paused_reaches_it_too() -> None:
    """Its late word that it was paused holds nothing."""
    play = begun()
    play.command(K.PAUSE)
    play.command(K.RESUME)
    assert mail_of(play) == [(CHILD, K.RESUME)]

    with pytest.raises(RepeatedEvent):
        changed(play, WorkflowState.PAUSED)


def test_stop_waits_for_the_child() -> None:
    """The task ends when its child has, and the run then."""
    play = begun()
    play.command(K.STOP)
    assert mail_of(play) == [(CHILD, K.STOP)]
    assert play.wants("sub") is None
    assert play.state is WorkflowState.STOPPING

    changed(play, WorkflowState.STOPPED)

    assert (play["sub"].state, play.state) == (TaskState.KILLED, WorkflowState.STOPPED)


def test_recover_reaches_the_same_child() -> None:
    """A new attempt waits for it: it is not told to resume, but to recover."""
    play = begun(a_sub(), a_task("next", "sub"))
    changed(play, WorkflowState.FAILURE)
    play.command(K.RECOVER)

    assert mail_of(play) == [(CHILD, K.RECOVER)]
    assert (play["sub"].state, play["sub"].attempt, play["sub"].child) == (TaskState.RUNNING, 2, CHILD)
    changed(play, WorkflowState.SUCCESS)
    play.succeed("next")
    assert play.state is WorkflowState.SUCCESS


@pytest.mark.parametrize("state", [WorkflowState.FAILURE, WorkflowState.STOPPED])
def test_end_that_an_attempt_before_has_had_is_not_that_of_the_next(state: WorkflowState) -> None:
    """A late word from before the recover ends nothing: what the child comes to this time will be told."""
    play = begun()
    changed(play, state)
    play.command(K.RECOVER)

    with pytest.raises(RepeatedEvent, match="to run again"):
        changed(play, state, is_to_recover=True)
    changed(play, WorkflowState.SUCCESS, is_to_recover=False)
    assert play.state is WorkflowState.SUCCESS


@pytest.mark.parametrize(
    ("first", "then"),
    [(WorkflowState.SUCCESS, WorkflowState.FAILURE), (WorkflowState.STOPPED, WorkflowState.SUCCESS)],
)
def test_child_that_runs_again_by_hand_changes_no_task_that_has_ended(
    first: WorkflowState, then: WorkflowState
) -> None:
    """Its parent has taken its result; only a recover of the parent looks at it anew."""
    play = begun(a_sub(), a_task("next"))
    changed(play, first)
    before = play["sub"]

    with pytest.raises(RepeatedEvent):
        changed(play, then)
    assert play["sub"] == before


def test_recover_by_hand_before_the_recover_of_the_parent_is_what_that_finds() -> None:
    """A child that has succeeded meanwhile refuses to recover, and its answer ends the new attempt."""
    play = begun()
    changed(play, WorkflowState.FAILURE)
    play.command(K.RECOVER)
    changed(play, WorkflowState.SUCCESS, outputs={"total": 3})

    assert (play["sub"].attempt, play["sub"].state, play["sub"].outputs) == (
        2,
        TaskState.SUCCESS,
        {"total": 3},
    )


def test_child_that_ended_while_its_parent_was_paused_is_found_on_resume() -> None:
    """A person had let it go on: the paused task hears nothing, and asks when it goes on itself."""
    play = begun()
    play.command(K.PAUSE)
    changed(play, WorkflowState.PAUSED)
    with pytest.raises(RepeatedEvent):
        changed(play, WorkflowState.SUCCESS)

    play.command(K.RESUME)
    assert mail_of(play) == [(CHILD, K.RESUME)]
    changed(play, WorkflowState.SUCCESS)
    assert play.state is WorkflowState.SUCCESS


def test_recover_of_what_its_inputs_are_made_of_starts_a_new_child() -> None:
    """The old one had other parameters; a rerun starts a new one, too."""
    play = begun(a_task("first"), a_sub("sub", "first", trigger=Trigger.ALL_DONE), done=True)
    changed(play, WorkflowState.FAILURE)
    play.command(K.RECOVER)
    play.succeed("first")
    assert (play["sub"].attempt, play["sub"].child, play.wants("sub")) == (2, None, Judge())

    play = begun()
    changed(play, WorkflowState.SUCCESS)
    play.command(K.RERUN)
    assert (play["sub"].attempt, play["sub"].child) == (2, None)


def test_stop_of_a_paused_run_waits_for_the_child() -> None:
    """A child is never left behind by a run that has ended."""
    play = begun()
    play.command(K.PAUSE)
    changed(play, WorkflowState.PAUSED)
    play.command(K.STOP)
    assert mail_of(play) == [(CHILD, K.STOP)]
    assert (play["sub"].state, play.state) == (TaskState.RUNNING, WorkflowState.PAUSED)

    changed(play, WorkflowState.STOPPED)

    assert play.state is WorkflowState.STOPPED


def test_failure_that_ends_the_run_stops_its_children() -> None:
    """`on_failure: end`, but for children of clean-up tasks."""
    play = started(a_sub(), a_task("bad"), on_failure=OnFailure.END)
    play.notify("sub", ChildReady, child=child_head())
    play.fail("bad")
    assert mail_of(play) == [(CHILD, K.STOP)]

    changed(play, WorkflowState.STOPPED)

    assert play.state is WorkflowState.FAILURE


def test_timeout_of_the_run_stops_its_children() -> None:
    """`on_timeout: stop`."""
    play = begun(timeout_s=60.0, on_timeout="stop")
    play.wait(60)
    play.notice(RunTimeout(workflow_instance_id=INSTANCE_ID))

    assert mail_of(play) == [(CHILD, K.STOP)]


def test_timeout_of_the_task_stops_its_child() -> None:
    """The attempt does not wait for that; `warn` only tells people."""
    play = begun(a_sub(timeout_s=60.0))
    play.wait(60)
    play.notify("sub", AttemptTimeout)
    assert mail_of(play) == [(CHILD, K.STOP)]
    assert (play["sub"].state, play["sub"].reason) == (TaskState.FAILURE, "timeout")

    play = begun(a_sub(timeout_s=60.0, on_timeout="warn"))
    play.wait(60)
    play.notify("sub", AttemptTimeout)
    assert (play["sub"].state, mail_of(play)) == (TaskState.RUNNING, [])
    assert [alert.kind for alert in play.alerts] == ["task_timeout"]


def test_dry_run_has_no_children() -> None:
    """The whole graph is walked, nothing begins."""
    play = a_play(a_sub())
    play.instance.head = replace(play.head, dry_run=True)
    play.start()

    assert (play.state, play.last.children) == (WorkflowState.SUCCESS, ())


def test_child_tells_its_parent_when_it_is_paused_and_when_it_ends() -> None:
    """Whatever brought it there; nothing in between is told."""
    play = Play(a_definition(a_task("a")))
    play.instance.head = replace(play.head, parent_id=5, parent_task="sub")
    look = Mail(workflow_instance_id=5, kind=K.CHILD_CHANGED, body={"task": "sub", "child": INSTANCE_ID})
    play.command(K.PAUSE)
    assert list(play.last.mail) == [look]

    play.command(K.RESUME)
    assert not play.last.mail
    play.running("a")
    assert not play.last.mail
    play.succeed("a")
    assert list(play.last.mail) == [look]


def test_parent_s_mail_that_changed_nothing_is_answered() -> None:
    """The parent looks at its child; mail about a child, and people's commands, are not answered."""
    asked = Command(
        id=1, slot=0, workflow_instance_id=CHILD, kind=K.PAUSE, body={"parent": 17, "task": "sub"}
    )
    look = Mail(workflow_instance_id=17, kind=K.CHILD_CHANGED, body={"task": "sub", "child": CHILD})

    assert (is_mail(asked), answer_to(asked)) == (True, look)
    told = replace(asked, kind=K.CHILD_CHANGED, body=look.body)
    assert (is_mail(told), answer_to(told)) == (True, None)
    by_hand = replace(asked, body={})
    assert (is_mail(by_hand), answer_to(by_hand)) == (False, None)
