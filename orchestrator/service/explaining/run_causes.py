"""Owns what holds a run back as a whole: services, masters, commands, and who lets it start."""

from collections.abc import Iterator

from orchestrator.core.command import CommandKind
from orchestrator.core.node import Outcome
from orchestrator.core.run import STOPPED_REASON, is_stopping
from orchestrator.core.status import TASK_ACTIVE, WORKFLOW_FINAL, TaskState, WorkflowState
from orchestrator.service.explaining.causes import Cause, Kind, named
from orchestrator.service.explaining.facts import Facts
from orchestrator.service.explaining.turn_causes import keeps_turn, waiting_cause
from orchestrator.store.evidence import BackfillPlace

START_MASTER = "orchestrator master"
FREE_THE_MACHINE = "free the machine, or raise ORCHESTRATOR_MASTER_CPU_LIMIT or _MEMORY_LIMIT"
TIMEOUT = "timeout"
OWN_MAIL = frozenset({CommandKind.GRANTED, CommandKind.PASS_ON})
"""What masters tell themselves: it says nothing to people while it is on its way."""

W = WorkflowState


def run_causes(facts: Facts) -> Iterator[Cause]:
    """Yield what keeps the run as a whole from going on."""
    if _needs_a_master(facts):
        yield from _services(facts)
        yield from _parked(facts)
        yield from _waiting_commands(facts)
    yield from _state(facts)
    yield from _refused_commands(facts)


def _needs_a_master(facts: Facts) -> bool:
    head = facts.run.head
    rests = head.state in WORKFLOW_FINAL or (head.state is W.PAUSED and not is_stopping(head))
    return not rests or bool(facts.evidence.commands)


def _services(facts: Facts) -> Iterator[Cause]:
    evidence = facts.evidence
    if facts.fleet is None:
        yield Cause(
            kind=Kind.REDIS_AWAY,
            detail=f"Redis does not answer, so nothing is dispatched or reported: {facts.redis_fault}",
            remedy="start Redis, or correct ORCHESTRATOR_REDIS_URL",
        )
    if evidence.coordinator is not None:
        return
    if evidence.others:
        yield Cause(
            kind=Kind.TAKEOVER,
            detail=f"its slot {facts.run.head.slot} has no master at the moment; {named(evidence.others)} takes it"
            " over within seconds",
        )
        return
    yield Cause(
        kind=Kind.NO_MASTER,
        detail="no master is alive, so nothing goes on",
        since=evidence.last_master_at,
        remedy=START_MASTER,
    )


def _parked(facts: Facts) -> Iterator[Cause]:
    parked = facts.fleet.parked if facts.fleet else None
    if parked is not None:
        yield Cause(
            kind=Kind.PARKED,
            detail=f"is parked: an event or command of it fails again and again ({parked.tries} tries):"
            f" {parked.error}",
            since=parked.since,
            remedy=f"orchestrator events parked retry {facts.number} (or: bury {facts.number})",
        )


def _waiting_commands(facts: Facts) -> Iterator[Cause]:
    """Say what was asked and not carried out; commands go away in the transaction that carries them out."""
    overloaded = facts.fleet.overloaded if facts.fleet else None
    for asked in facts.evidence.commands:
        if asked.kind in OWN_MAIL:
            continue
        if asked.kind == CommandKind.START and overloaded:
            yield Cause(
                kind=Kind.OVERLOAD,
                detail=f"its START is held back: the overloaded master takes no new runs ({overloaded})",
                since=asked.at,
                remedy=FREE_THE_MACHINE,
            )
            continue
        yield Cause(
            kind=Kind.COMMAND_WAITS, detail=f"a {asked.kind} waits for its master to take it", since=asked.at
        )


def _refused_commands(facts: Facts) -> Iterator[Cause]:
    """Name the last refusal of each kind; an older one says nothing of now."""
    head = facts.run.head
    seen: set[str] = set()
    for asked in facts.evidence.refused:
        if asked.kind in seen:
            continue
        seen.add(asked.kind)
        blocks = asked.kind == CommandKind.START and head.state is W.SUBMITTED
        yield Cause(
            kind=Kind.START_REFUSED if blocks else Kind.COMMAND_REFUSED,
            detail=f"a {asked.kind} could not be carried out: {asked.reason}",
            since=asked.at,
            remedy=f"orchestrator runs stop {facts.number}, and submit anew" if blocks else "",
        )


def _state(facts: Facts) -> Iterator[Cause]:
    head = facts.run.head
    match head.state:
        case _ if is_stopping(head):
            yield _stopping(facts)
        case W.SUBMITTED:
            yield from _not_started(facts)
        case W.WAITING:
            yield waiting_cause(facts)
        case W.PAUSING | W.PAUSED:
            yield _paused(facts)
        case W.RUNNING if head.ending:
            yield _ending(facts)
        case _ if head.state in WORKFLOW_FINAL:
            yield _ended(facts)


def _stopping(facts: Facts) -> Cause:
    head = facts.run.head
    by = _stopped_by(head.reason)
    left = facts.run.in_state(*TASK_ACTIVE)
    return Cause(
        kind=Kind.STOPPING,
        detail=f"is being stopped by {by}: nothing new starts"
        + (f", and it ends when {named(left)} has ended" if left else ""),
    )


def _stopped_by(reason: str | None) -> str:
    if reason in (None, STOPPED_REASON):
        return "a STOP"
    return f"its {reason}" if reason == TIMEOUT else f"a STOP ({reason})"


def _paused(facts: Facts) -> Cause:
    head, left = facts.run.head, facts.run.in_state(*TASK_ACTIVE)
    ends = f"; what runs may end: {named(left)}" if left else ""
    ends += keeps_turn(facts)
    return Cause(
        kind=Kind.PAUSED if head.state is W.PAUSED else Kind.PAUSING,
        detail=f"was paused by a PAUSE: nothing new starts{ends}",
        since=head.paused_at,
        remedy=f"orchestrator runs resume {facts.number}",
    )


def _ending(facts: Facts) -> Cause:
    run = facts.run
    failed = [task for task in run.graph.order if run.nodes[task].outcome is Outcome.FAILED]
    failed = failed or run.in_state(TaskState.FAILURE, TaskState.KILLED)  # elements of a map that goes on
    return Cause(
        kind=Kind.ENDING,
        detail=f"is ending (on_failure: end) because of {named(failed)}: nothing new starts",
        remedy=f"when it has ended: orchestrator runs recover {facts.number}",
    )


def _ended(facts: Facts) -> Cause:
    head = facts.run.head
    place = facts.evidence.backfill
    reason = head.reason
    if head.state is W.STOPPED and head.started_at is None and place is not None and place.reason:
        reason = f"it never started: backfill {place.id} ended because {place.reason}"
    return Cause(
        kind=Kind.ENDED,
        detail=f"ended {head.state}" + (f": {reason}" if reason else ""),
        since=head.ended_at,
        remedy=f"orchestrator runs recover {facts.number}" if head.state is not W.SUCCESS else "",
    )


def _not_started(facts: Facts) -> Iterator[Cause]:
    """Say who lets a run start that has no START: its backfill, or nobody."""
    evidence = facts.evidence
    if any(asked.kind == CommandKind.START for asked in evidence.commands):
        return
    place = evidence.backfill
    if place is not None and place.released_at is None:
        yield _held_by_backfill(place)
    elif all(asked.kind != CommandKind.START for asked in evidence.refused):
        yield Cause(
            kind=Kind.NO_START,
            detail="has no START, so no master begins with it",
            since=facts.run.head.submitted_at,
            remedy=f"orchestrator runs pause {facts.number}, then orchestrator runs resume {facts.number}",
        )


def _held_by_backfill(place: BackfillPlace) -> Cause:
    runs = named(str(one) for one in place.going_on)
    going_on = f"{runs} not ended" if place.going_on else "the next are about to start"
    before = f", and {place.waiting} wait before it" if place.waiting else ""
    return Cause(
        kind=Kind.BACKFILL,
        detail=f"waits for its turn in backfill {place.id}, which runs {place.max_parallel} at a time:"
        f" {going_on}{before}",
        since=place.created_at,
    )
