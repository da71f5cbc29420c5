"""Owns the notices: facts that the master's own machinery reports to its loop."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from orchestrator.core.cache import CachedOutputs
from orchestrator.core.dependence import Verdict
from orchestrator.core.instance import Head, TaskInstance


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNotice:
    """Speaks of one workflow instance."""

    workflow_instance_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptNotice(RunNotice):
    """Speaks of one hand-over of one attempt; it is void when that is over."""

    task: str
    attempt: int
    dispatch: int

    @property
    def token(self) -> tuple[int, int]:
        """Attempt and dispatch: compared before any state is."""
        return (self.attempt, self.dispatch)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptDue(AttemptNotice):
    """A delay, a retry's wait or a back-off is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptTimeout(AttemptNotice):
    """The attempt's time is up and its worker has said nothing: the second line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueTimeout(AttemptNotice):
    """No worker has started the attempt in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLost(AttemptNotice):
    """The worker that holds the attempt is gone, or no longer knows of it.

    Attributes:
        incarnation: The incarnation that is meant; another owner is not accused.
        reason: One line for people.
    """

    incarnation: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallWon(AttemptNotice):
    """The master holds the claim: nobody runs this hand-over, nor ever will.

    Attributes:
        unserved: It was taken back because nobody has served its worker group for a while.
    """

    unserved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallLost(AttemptNotice):
    """A worker holds the claim: its report decides, or its heartbeat."""

    worker: str
    incarnation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubmittable(AttemptNotice):
    """The attempt's inputs cannot be resolved, or are too large."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged(AttemptNotice):
    """What the values say about a task that the master decides.

    Attributes:
        taken: The branch tasks that it chose.
    """

    taken: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread(AttemptNotice):
    """The list of a map is known.

    Attributes:
        total: How many elements it has.
        outputs: What it gives if it has none.
    """

    total: int
    outputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered(AttemptNotice):
    """The outputs of a map's elements, which have all succeeded, are put together.

    Attributes:
        outputs: What the map gives.
        fault: Why it can give nothing.
    """

    outputs: Mapping[str, Any] = field(default_factory=dict)
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked(AttemptNotice):
    """What a look at other workflows' runs came to.

    Attributes:
        found: Whether the dependencies are met.
        reason: What is missing, or has failed; one line for people.
    """

    found: Verdict
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildReady(AttemptNotice):
    """The child of a sub_workflow task can begin.

    Attributes:
        child: Its head, with an id that nobody else has.
    """

    child: Head


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheLooked(AttemptNotice):
    """The cache was asked before an attempt goes out.

    Attributes:
        key: What its outputs are kept under; `NO_KEY`: they are not kept.
        found: What is kept there.
    """

    key: str
    found: CachedOutputs | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unserved(AttemptNotice):
    """Nobody has served the worker group for a while: the attempt is not to stand in its pool's line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served(AttemptNotice):
    """Somebody serves the worker group again: an attempt that gave way stands in line once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn(AttemptNotice):
    """The run's state wants an attempt to end, or to be held, that nobody but the master has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTimeout(RunNotice):
    """The run's own timeout is due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Continue(RunNotice):
    """The last step left something over: take the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CannotStart(RunNotice):
    """The definition can never start."""

    reason: str


N = TypeVar("N", bound=AttemptNotice)


def about(attempt: TaskInstance, kind: type[N], **fields: Any) -> N:
    """Return a notice of this kind about the present hand-over of `attempt`."""
    return kind(
        workflow_instance_id=attempt.workflow_instance_id,
        task=attempt.task,
        attempt=attempt.attempt,
        dispatch=attempt.dispatch,
        **fields,
    )


Notice = (
    AttemptDue
    | AttemptTimeout
    | QueueTimeout
    | AttemptLost
    | RecallWon
    | RecallLost
    | Unsubmittable
    | Judged
    | Looked
    | ChildReady
    | Spread
    | Gathered
    | CacheLooked
    | Unserved
    | Served
    | Withdrawn
    | RunTimeout
    | Continue
    | CannotStart
)
