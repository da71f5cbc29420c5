"""Words to children, in all stories of four steps: the last one reaches every child."""

from itertools import product

import pytest

from orchestrator.core.command import CommandKind
from orchestrator.core.passing_on import asked_of_child
from orchestrator.errors import Conflict, RepeatedEvent
from tests.unit.core.test_passing_on import FIRST_CHILD, Post, with_children

K = CommandKind

ACTIONS: dict[str, tuple[CommandKind, dict[str, str]]] = {
    "pause": (K.PAUSE, {}),
    "resume": (K.RESUME, {}),
    "stop": (K.STOP, {}),
    "hold": (K.PAUSE, {"task": "s3"}),
    "let go": (K.RESUME, {"task": "s3"}),
}


@pytest.mark.parametrize("first", [*ACTIONS, "go on"])
def test_whatever_people_ask_in_between_the_last_word_reaches_everybody(first: str) -> None:
    """All stories of four steps: commands, and parts of what is being passed on."""
    for rest in product([*ACTIONS, "go on"], repeat=3):
        post = with_children(4, row_limit=1, strict=False)
        for step in (first, *rest):
            if step != "go on":
                _try(post, step)
            elif post.own:
                post.go_on()
        post.finish()
        head, tasks = post.play.head, post.play.instance.graph.tasks
        wanted = {at: asked_of_child(head, tasks[f"s{at}"]) for at in range(4)}
        heard = {at: post.asked.get(FIRST_CHILD + at, K.RESUME) for at in range(4)}
        assert heard == wanted, (first, *rest)


def _try(post: Post, step: str) -> None:
    kind, body = ACTIONS[step]
    try:
        post.do(kind, **body)
    except (RepeatedEvent, Conflict):
        return
