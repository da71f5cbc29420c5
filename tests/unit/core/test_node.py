"""When a task runs: the trigger table of the semantics, row by row."""

import pytest

from orchestrator.core.definition import Trigger
from orchestrator.core.node import Decision, Node, Outcome, decide_trigger

UPSTREAMS = {
    "S": Outcome.SUCCESS,
    "F": Outcome.FAILED,
    "N": Outcome.NOT_RUN,
    "K": Outcome.SKIPPED,
}

TABLE = [
    # Upstreams: S success, F failed, N not-run, K skipped, . open.  Columns in the order of the header.
    ("upstreams", "all_success", "none_failed", "all_done", "one_success", "one_failed"),
    ("", "run", "run", "run", "run", "run"),
    (".", "wait", "wait", "wait", "wait", "wait"),
    ("S", "run", "run", "run", "run", "skip"),
    ("F", "not_run", "not_run", "run", "not_run", "run"),
    ("N", "not_run", "not_run", "run", "not_run", "run"),
    ("K", "skip", "run", "run", "skip", "skip"),
    ("S.", "wait", "wait", "wait", "run", "wait"),
    ("F.", "wait", "wait", "wait", "wait", "run"),
    ("N.", "wait", "wait", "wait", "wait", "run"),
    ("K.", "wait", "wait", "wait", "wait", "wait"),
    ("SF.", "wait", "wait", "wait", "run", "run"),
    ("SS", "run", "run", "run", "run", "skip"),
    ("SK", "run", "run", "run", "run", "skip"),
    ("SF", "not_run", "not_run", "run", "run", "run"),
    ("SN", "not_run", "not_run", "run", "run", "run"),
    ("FK", "not_run", "not_run", "run", "not_run", "run"),
    ("NK", "not_run", "not_run", "run", "not_run", "run"),
    ("KK", "skip", "run", "run", "skip", "skip"),
    ("SFK", "not_run", "not_run", "run", "run", "run"),
]

CASES = [
    (row[0], trigger, decision)
    for row in TABLE[1:]
    for trigger, decision in zip(TABLE[0][1:], row[1:], strict=True)
]


def node_after(upstreams: str) -> Node:
    """Return a node behind these upstreams, the ended ones counted."""
    node = Node(open=len(upstreams))
    for letter in upstreams.replace(".", ""):
        node = node.with_upstream(UPSTREAMS[letter], started=False)
    return node


@pytest.mark.parametrize(("upstreams", "trigger", "decision"), CASES)
def test_trigger_decides_as_the_table_says(upstreams: str, trigger: str, decision: str) -> None:
    """Each trigger with each mixture of ended and open upstreams."""
    assert decide_trigger(Trigger(trigger), node_after(upstreams)) is Decision(decision)


def test_counting_knows_no_order() -> None:
    """The same upstreams in another order give the same node."""
    assert node_after("SFNK.") == node_after("KNFS.")


def test_a_started_ancestor_is_never_forgotten() -> None:
    """One started upstream is enough, whatever ends after it."""
    node = Node(open=2).with_upstream(Outcome.FAILED, started=True)

    assert node.with_upstream(Outcome.NOT_RUN, started=False).started
