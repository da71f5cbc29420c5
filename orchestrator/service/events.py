"""Owns the use cases of events that could not be handled: dead letters and parked runs."""

from collections.abc import Sequence
from typing import Any

from orchestrator.broker.deadletters import DeadLetter
from orchestrator.errors import NotFound
from orchestrator.service.backend import Backend


def list_dead(backend: Backend) -> list[dict[str, Any]]:
    """Return the dead letters with their reasons, the newest first."""
    return [_summary(letter) for letter in backend.dead_letters.list()]


def show_dead(backend: Backend, letter_id: str) -> dict[str, Any]:
    """Return one dead letter, payload included (as text; what is not UTF-8 is escaped).

    Raises:
        NotFound: There is no such letter.
    """
    letter = backend.dead_letters.show(letter_id)
    origin = {"slot": letter.slot, "worker": letter.worker, "spool_id": letter.spool_id}
    return {**_summary(letter), **origin, "payload": letter.payload.decode("utf-8", "backslashreplace")}


def replay_dead(backend: Backend, letter_ids: Sequence[str]) -> int:
    """Put dead letters back into their streams; return how many.

    Raises:
        NotFound: There is no such letter; none was replayed.
    """
    return backend.dead_letters.replay(letter_ids)


def purge_dead(backend: Backend) -> int:
    """Delete all dead letters; return how many."""
    return backend.dead_letters.purge()


def list_parked(backend: Backend) -> list[dict[str, Any]]:
    """Return the parked runs of all masters."""
    return [
        {**parked, "master": master["name"]}
        for master in backend.masters.all()
        for parked in master.get("parked", ())
    ]


def ask_about_parked(backend: Backend, wish: str, workflow_instance_id: int) -> None:
    """Ask the masters to try a parked run again (`retry`) or to bury the event that fails (`bury`).

    Raises:
        NotFound: The run is not parked.
    """
    parked = [one["workflow_instance_id"] for one in list_parked(backend)]
    if workflow_instance_id not in parked:
        raise NotFound(f"run {workflow_instance_id} is not parked; orchestrator events parked list")
    backend.master_control.ask({"do": wish, "workflow_instance_id": workflow_instance_id})


def _summary(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "reason": letter.reason,
        "type": letter.type,
        "workflow_instance_id": letter.workflow_instance_id,
        "task": letter.task,
        "attempt": letter.attempt,
        "received_at": letter.received_at,
    }
