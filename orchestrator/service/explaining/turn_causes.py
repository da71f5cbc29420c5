"""Owns what holds back the runs of a serial workflow: who has the turn, and who comes before."""

from orchestrator.core.status import WorkflowState
from orchestrator.service.explaining.causes import Cause, Kind
from orchestrator.service.explaining.facts import Facts
from orchestrator.service.wording import waiting
from orchestrator.store.evidence import TurnPlace

GOING_ON = frozenset({WorkflowState.RUNNING, WorkflowState.PAUSING, WorkflowState.STOPPING})
HELD = frozenset({WorkflowState.PAUSED, WorkflowState.PAUSING})


def waiting_cause(facts: Facts) -> Cause:
    """Return for whom a run waits that is WAITING, and how many wait before it."""
    place = facts.evidence.turn
    if place is None or place.holder is None or not _is_kept(place):
        nobody = "nobody has it; a master passes it on in seconds"
        return Cause(kind=Kind.SERIAL, detail=f"{_waits(facts)}: {nobody}{_queue(place)}")
    if place.holder == facts.number:
        detail = "has been given its turn, and begins as soon as its master takes the WAKE"
        return Cause(kind=Kind.SERIAL, detail=detail, since=place.since)
    return Cause(
        kind=Kind.SERIAL,
        detail=f"{_waits(facts)}: run {place.holder} ({place.state}) has it{_queue(place)}",
        since=place.since,
        remedy=_remedy(place),
    )


def keeps_turn(facts: Facts) -> str:
    """Return what is to be added about a run that is held: it keeps the turn that others wait for."""
    place = facts.evidence.turn
    if place is None or place.holder != facts.number or not place.ahead:
        return ""
    return f"; it keeps its turn, for which {_runs(place.ahead)} of {facts.run.head.workflow}"


def _waits(facts: Facts) -> str:
    return f"waits for its turn among the runs of {facts.run.head.workflow}"


def _is_kept(place: TurnPlace) -> bool:
    return place.state is not None and WorkflowState(place.state) in GOING_ON | HELD | {WorkflowState.WAITING}


def _queue(place: TurnPlace | None) -> str:
    return f", and {_runs(place.ahead)} before it" if place is not None and place.ahead else ""


def _runs(number: int) -> str:
    return waiting(number, "run")


def _remedy(place: TurnPlace) -> str:
    if place.state in HELD:
        return f"orchestrator runs resume {place.holder} (or: runs stop {place.holder})"
    return ""
