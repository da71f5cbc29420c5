"""Many children, in the core: so many are asked in a step, the others in later ones, and the last word counts."""

from collections import deque
from collections.abc import Mapping
from typing import Any

import pytest

from orchestrator.core.command import Command, CommandKind, Mail
from orchestrator.core.definition import OnFailure, Trigger
from orchestrator.core.family import answer_to, is_mail
from orchestrator.core.notice import ChildReady
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.errors import RepeatedEvent
from tests.builders import INSTANCE_ID, a_definition, a_task
from tests.unit.core.play import Play
from tests.unit.core.test_children import a_sub, child_head

K = CommandKind
FIRST_CHILD = 100


class Post:
    """The mail of a run: what its children were asked last, and what it asks itself to do, in order."""

    def __init__(self, play: Play) -> None:
        self.play = play
        self.asked: dict[int, CommandKind] = {}
        self.own: deque[Mapping[str, Any]] = deque()

    def sort(self) -> int:
        """Take what the last step sent; return how many children it asked."""
        mine = [one for one in self.play.last.mail if one.workflow_instance_id == INSTANCE_ID]
        others = [one for one in self.play.last.mail if one.workflow_instance_id != INSTANCE_ID]
        self.own.extend(one.body for one in mine)
        self.asked.update((one.workflow_instance_id, one.kind) for one in others)
        return len(others)

    def do(self, kind: CommandKind, **body: Any) -> int:
        """Carry out a command; return how many children it asked."""
        self.play.command(kind, **body)
        return self.sort()

    def go_on(self) -> int:
        """Carry out the oldest of what the run asks itself; return how many children that asked."""
        try:
            self.play.command(K.PASS_ON, **self.own.popleft())
        except RepeatedEvent:
            return 0
        return self.sort()

    def finish(self) -> int:
        """Carry out everything that the run asks itself; return how many steps that took."""
        steps = 0
        while self.own:
            self.go_on()
            steps += 1
        return steps


def with_children(number: int, *, row_limit: int = 2, strict: bool = True, **fields: Any) -> Post:
    """Return the post of a run with so many children under way; the last is that of a clean-up task."""
    tasks = [a_sub(f"s{at}") for at in range(number - 1)]
    last = a_sub(f"s{number - 1}", trigger=Trigger.ALL_DONE)
    play = Play(a_definition(*tasks, last, a_task("bad"), **fields), strict=strict).start()
    for at in range(number):
        play.notify(f"s{at}", ChildReady, child=child_head(FIRST_CHILD + at))
    play.limit_rows(row_limit)
    return Post(play)


def numbers(post: Post, kind: CommandKind) -> list[int]:
    """Return which children were asked for this last."""
    return sorted(child - FIRST_CHILD for child, asked in post.asked.items() if asked is kind)


@pytest.mark.parametrize(("kind", "number"), [(K.PAUSE, 5), (K.STOP, 5), (K.STOP, 4), (K.PAUSE, 2)])
def test_so_many_children_are_asked_in_a_step(kind: CommandKind, number: int) -> None:
    """In the order of their tasks; the step that asks some leaves mail that goes on with the others."""
    post = with_children(number)

    asked = [post.do(kind)]
    while post.own:
        assert numbers(post, kind) == list(range(sum(asked)))
        asked.append(post.go_on())

    assert asked == {5: [2, 2, 1], 4: [2, 2], 2: [2]}[number]
    assert numbers(post, kind) == list(range(number))


def test_nobody_is_asked_twice_and_nobody_who_has_ended() -> None:
    """Each step looks at the children that the run still waits for."""
    post = with_children(6)
    post.do(K.STOP)
    for at in (1, 2):
        post.play.command(K.CHILD_CHANGED, task=f"s{at}", child=FIRST_CHILD + at, state=WorkflowState.STOPPED)
    assert not post.play.last.mail

    assert (post.go_on(), post.go_on(), len(post.own)) == (2, 1, 0)
    assert numbers(post, K.STOP) == [0, 1, 3, 4, 5]


def test_stop_overtakes_a_pause_that_is_still_being_passed_on() -> None:
    """Every child ends up stopped, also one that had not heard of the pause; none is asked to pause any more."""
    post = with_children(5)
    post.do(K.PAUSE)

    post.do(K.STOP)
    assert numbers(post, K.STOP) == [0, 1]
    assert [body["after"]["state"] for body in post.own] == ["PAUSING", "STOPPING"]
    post.finish()

    assert numbers(post, K.STOP) == [0, 1, 2, 3, 4]


def test_word_that_was_overtaken_asks_nobody() -> None:
    """The later one goes on with everybody whom it concerns."""
    post = with_children(5)
    post.do(K.PAUSE)
    (pause,) = post.own
    post.do(K.RESUME)

    with pytest.raises(RepeatedEvent, match="has reached whom it concerns"):
        post.play.command(K.PASS_ON, **pause)

    post.own.popleft()
    post.finish()
    assert numbers(post, K.RESUME) == [0, 1, 2, 3, 4]


def test_pause_of_one_map_asks_only_its_children() -> None:
    """A child of another task, that a person has paused by hand perhaps, is not told to resume either."""
    post = with_children(3, row_limit=1)
    post.do(K.PAUSE, task="s0")
    post.do(K.PAUSE, task="s2")
    post.finish()
    assert post.asked == {FIRST_CHILD: K.PAUSE, FIRST_CHILD + 2: K.PAUSE}

    post.do(K.RESUME, task="s2")
    post.finish()

    assert post.asked == {FIRST_CHILD: K.PAUSE, FIRST_CHILD + 2: K.RESUME}


def test_failure_that_ends_the_run_spares_children_of_clean_up_tasks_in_every_step() -> None:
    """`on_failure: end`, a step at a time."""
    post = with_children(6, on_failure=OnFailure.END)
    post.play.fail("bad")
    post.sort()
    post.finish()

    assert numbers(post, K.STOP) == [0, 1, 2, 3, 4]
    assert len(post.asked) == 5


def test_run_that_has_no_children_left_has_nothing_to_pass_on() -> None:
    """The mail is ended, and answered to nobody."""
    post = with_children(2, row_limit=1)
    post.do(K.STOP)
    for at in range(2):
        post.play.command(K.CHILD_CHANGED, task=f"s{at}", child=FIRST_CHILD + at, state=WorkflowState.STOPPED)
    body = post.own[0]
    own = Command(id=1, slot=0, workflow_instance_id=INSTANCE_ID, kind=K.PASS_ON, body=body)

    with pytest.raises(RepeatedEvent):
        post.play.command(K.PASS_ON, **body)

    assert (is_mail(own), answer_to(own)) == (True, None)


def test_children_that_are_resumed_with_their_task_know_by_that() -> None:
    """A paused task asks its child in the step that lets it go on; those are as many as the step may write."""
    post = with_children(5)
    post.do(K.PAUSE)
    post.finish()
    for at in range(5):
        post.play.command(K.CHILD_CHANGED, task=f"s{at}", child=FIRST_CHILD + at, state=WorkflowState.PAUSED)
    post.asked.clear()

    asked = [post.do(K.RESUME)]
    while post.play.instance.is_unsettled:
        post.play.go_on()
        asked.append(post.sort())

    assert (asked, list(post.own)) == ([2, 2, 1], [])
    assert numbers(post, K.RESUME) == [0, 1, 2, 3, 4]


def test_mail_to_oneself_is_plain_data() -> None:
    """It is stored as JSON, and says nothing that has to be looked up elsewhere."""
    post = with_children(3, row_limit=1)
    post.do(K.PAUSE)

    (mail,) = (one for one in post.play.last.mail if one.kind is K.PASS_ON)

    before = {"state": "RUNNING", "ending": False, "held": [], "stopping": False}
    body = {"before": before, "after": {**before, "state": "PAUSING"}, "past": post.play["s0"].sequence}
    assert mail == Mail(workflow_instance_id=INSTANCE_ID, kind=K.PASS_ON, body=body)
    assert post.play["s0"].state is TaskState.RUNNING
