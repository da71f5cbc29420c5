"""Owns the counters of one node of a run, and the table that says when a task runs."""

from enum import StrEnum
from typing import NamedTuple

from orchestrator.core.definition import Trigger
from orchestrator.core.elements import Elements
from orchestrator.core.status import TaskState


class Outcome(StrEnum):
    """How a node ended, as its downstreams see it."""

    SUCCESS = "success"
    FAILED = "failed"
    NOT_RUN = "not_run"
    SKIPPED = "skipped"


class Decision(StrEnum):
    """What a trigger says about a node."""

    WAIT = "wait"
    RUN = "run"
    SKIP = "skip"
    NOT_RUN = "not_run"


class Node(NamedTuple):
    """Counters of one node: a transition touches only the nodes behind what ended.

    Attributes:
        open: Upstreams that have no outcome yet.
        success: Upstreams that succeeded.
        failed: Upstreams that failed or were not run.
        skipped: Upstreams that were skipped.
        started: Some ancestor had an attempt (a clean-up task under `end` asks for it).
        outcome: How the node itself ended.
        owed: Its trigger has decided, and its attempt is still to be created; or some of its elements are.
        elements: Of a map that is going on.
    """

    open: int
    success: int = 0
    failed: int = 0
    skipped: int = 0
    started: bool = False
    outcome: Outcome | None = None
    owed: bool = False
    elements: Elements | None = None

    def with_upstream(self, outcome: Outcome, *, started: bool) -> "Node":
        """Return the node after one more upstream ended."""
        return self._replace(
            open=self.open - 1,
            success=self.success + (outcome is Outcome.SUCCESS),
            failed=self.failed + (outcome in (Outcome.FAILED, Outcome.NOT_RUN)),
            skipped=self.skipped + (outcome is Outcome.SKIPPED),
            started=self.started or started,
        )


OUTCOMES = {
    TaskState.SUCCESS: Outcome.SUCCESS,
    TaskState.FORCED_SUCCESS: Outcome.SUCCESS,
    TaskState.FAILURE: Outcome.FAILED,
    TaskState.KILLED: Outcome.FAILED,
    TaskState.SKIPPED: Outcome.SKIPPED,
}


def decide_trigger(trigger: Trigger, node: Node) -> Decision:
    """Return what `trigger` says about a node with these counters (SEMANTICS section 4).

    A node without upstreams runs under every trigger.
    """
    if not (node.open or node.success or node.failed or node.skipped):
        return Decision.RUN
    match trigger:
        case Trigger.ONE_SUCCESS if node.success:
            return Decision.RUN
        case Trigger.ONE_FAILED if node.failed:
            return Decision.RUN
    if node.open:
        return Decision.WAIT
    return _decide_done(trigger, node)


def decide_conditions(node: Node) -> Decision:
    """Return what a conditions task does: it runs when all is done, however it ended, unless all was skipped."""
    if node.open:
        return Decision.WAIT
    only_skipped = node.skipped and not (node.success or node.failed)
    return Decision.SKIP if only_skipped else Decision.RUN


def _decide_done(trigger: Trigger, node: Node) -> Decision:
    """Return what `trigger` says when every upstream is done."""
    only_skipped = not node.success and not node.failed
    match trigger:
        case Trigger.ALL_DONE:
            return Decision.RUN
        case Trigger.NONE_FAILED:
            return Decision.NOT_RUN if node.failed else Decision.RUN
        case Trigger.ONE_FAILED:
            return Decision.SKIP
        case Trigger.ALL_SUCCESS if node.success and not node.failed:
            return Decision.RUN
        case Trigger.ALL_SUCCESS | Trigger.ONE_SUCCESS:
            return Decision.SKIP if only_skipped else Decision.NOT_RUN
