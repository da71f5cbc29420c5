"""Commands that a person gives up: what is said in their place, and what their receivers do without them."""

from typing import Any

import pytest

from orchestrator.core.command import GIVEN_UP, Command, CommandKind, Mail
from orchestrator.core.family import answer_to_buried, is_mail
from orchestrator.core.serial import SERIAL
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.errors import RepeatedEvent
from tests.builders import INSTANCE_ID, a_task
from tests.unit.core.play import a_play, started
from tests.unit.core.test_children import CHILD, a_sub, begun, changed, mail_of
from tests.unit.core.test_passing_on import FIRST_CHILD, with_children

K = CommandKind
WHY = "buried by request; it failed with RuntimeError: a bug"


def buried(kind: CommandKind, **body: Any) -> Mail | None:
    """Return what is said in the place of a command that was given up."""
    return answer_to_buried(Command(id=1, slot=7, workflow_instance_id=7, kind=kind, body=body), WHY)


@pytest.mark.parametrize("kind", [K.RECOVER, K.PAUSE, K.RESUME, K.STOP])
def test_parent_looks_at_the_child_that_does_not_hear_of_its_mail(kind: CommandKind) -> None:
    """As if the child had dropped it."""
    look = Mail(workflow_instance_id=3, kind=K.CHILD_CHANGED, body={"task": "sub", "child": 7})

    assert buried(kind, parent=3, task="sub") == look


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (K.START, {}),
        (K.CHILD_CHANGED, {"task": "sub", "child": CHILD}),
        (K.PASS_ON, {"before": {"held": []}, "after": {"held": ["a"]}, "past": 4}),
    ],
)
def test_mail_whose_receiver_waits_comes_once_more_without_what_it_read(
    kind: CommandKind, body: dict[str, Any]
) -> None:
    """It says why it was given up; outputs that were read for it are not stored. Given up itself, it is over."""
    answer = buried(kind, **body, outputs={"much": "x" * 1000})

    assert answer == Mail(workflow_instance_id=7, kind=kind, body={**body, GIVEN_UP: WHY})
    assert buried(kind, **answer.body) is None


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        *((kind, {}) for kind in (K.PAUSE, K.RESUME, K.STOP, K.SIGNAL, K.RECOVER, K.RERUN, K.FORCE_SUCCESS)),
        (K.GRANTED, {"task": "a", "attempt": 1, "line_up": 1}),
        (K.WAKE, {SERIAL: True}),
        (K.STOP, {SERIAL: True, "reason": "stopped for run 8"}),
    ],
)
def test_nobody_is_told_of_what_a_person_asked_or_a_sweep_says_again(
    kind: CommandKind, body: dict[str, Any]
) -> None:
    """The refused command is what the person sees; pools and turns are settled from rows every few seconds."""
    assert buried(kind, **body) is None


def test_run_whose_start_was_given_up_ends() -> None:
    """It would never begin; whoever waits for it hears so, and people are told."""
    play = a_play(a_task())

    play.command(K.START, **{GIVEN_UP: WHY})

    assert (play.state, play.head.reason) == (WorkflowState.FAILURE, f"its START was {WHY}")
    assert [alert.kind for alert in play.alerts] == ["workflow_failure"]


def test_start_that_was_given_up_late_changes_nothing() -> None:
    """The run has begun by another one."""
    play = started(a_task())

    with pytest.raises(RepeatedEvent):
        play.command(K.START, **{GIVEN_UP: WHY})


@pytest.mark.parametrize("state", [WorkflowState.SUCCESS, WorkflowState.FAILURE])
def test_task_whose_child_s_end_was_given_up_fails_without_a_retry(state: WorkflowState) -> None:
    """Nobody knows what it came to; recover takes it over, and nothing that has ended runs again by itself."""
    play = begun(a_sub(retries=3))

    changed(play, state, given_up=WHY, outputs={"n": 1})

    assert (play["sub"].state, play["sub"].attempt, play["sub"].outputs) == (TaskState.FAILURE, 1, {})
    assert play["sub"].reason == f"its run {CHILD} ended {state}, but the word of it was {WHY}"
    assert play.state is WorkflowState.FAILURE


def test_look_that_was_given_up_follows_a_stopped_or_held_child_as_any_other() -> None:
    """There is nothing to take over from these, and what goes on is waited for."""
    play = begun()
    changed(play, WorkflowState.STOPPED, given_up=WHY)
    assert play["sub"].state is TaskState.KILLED

    play = begun()
    play.command(K.PAUSE)
    changed(play, WorkflowState.PAUSED, given_up=WHY)
    assert play["sub"].state is TaskState.PAUSED

    with pytest.raises(RepeatedEvent):
        changed(begun(), WorkflowState.RUNNING, given_up=WHY)


def test_parent_looks_at_each_child_that_a_word_does_not_reach_any_more() -> None:
    """A part at a time, and only at those whom it concerned."""
    post = with_children(5)
    post.do(K.PAUSE)
    word = post.own.popleft()

    post.play.command(K.PASS_ON, **word, given_up=WHY)
    looks, (rest,) = post.play.last.mail[:2], post.play.last.mail[2:]
    assert [(one.kind, one.body["child"] - FIRST_CHILD) for one in looks] == [
        (K.CHILD_CHANGED, 2),
        (K.CHILD_CHANGED, 3),
    ]

    post.play.command(K.PASS_ON, **rest.body)
    assert [(one.workflow_instance_id, one.body["child"]) for one in post.play.last.mail] == [
        (INSTANCE_ID, FIRST_CHILD + 4)
    ]
    assert all(is_mail(Command(id=1, slot=0, **_fields(one))) for one in (*looks, rest))


def test_mail_that_is_answered_asks_a_child_for_nothing() -> None:
    """A look goes to the parent alone."""
    play = begun()

    changed(play, WorkflowState.FAILURE, given_up=WHY)

    assert mail_of(play) == []


def _fields(mail: Mail) -> dict[str, Any]:
    return {"workflow_instance_id": mail.workflow_instance_id, "kind": mail.kind, "body": mail.body}
