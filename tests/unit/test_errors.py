"""The exception tree: what the master does about each, and messages that name the place."""

import inspect

import pytest

from orchestrator import errors
from orchestrator.errors import (
    AheadOfMemory,
    BrokerUnavailable,
    CommitInDoubt,
    Conflict,
    DefinitionError,
    DropEvent,
    Fault,
    ForgedEvent,
    IllegalTransition,
    LeaseLost,
    MalformedEvent,
    NotFound,
    OrchestratorError,
    PoisonEvent,
    RepeatedEvent,
    RetryEvent,
    RevisionLost,
    SchemaMismatch,
    SettingsError,
    StaleEvent,
    StoreUnavailable,
    UnknownInstance,
    UnresolvedParameter,
    UserError,
)

VERDICTS = {
    RepeatedEvent: "ok",
    StaleEvent: "stale",
    UnknownInstance: "stale",
    MalformedEvent: "buried",
    ForgedEvent: "buried",
}


@pytest.mark.parametrize("error", VERDICTS)
def test_dropped_event_has_its_verdict(error: type[DropEvent]) -> None:
    """DESIGN 5: what the worker hears."""
    assert error.verdict == VERDICTS[error]


def test_every_way_to_drop_an_event_is_in_the_table() -> None:
    """A new one must get its verdict here."""
    leaves = {
        one
        for _, one in inspect.getmembers(errors, inspect.isclass)
        if issubclass(one, DropEvent) and not one.__subclasses__()
    }

    assert leaves == set(VERDICTS)


@pytest.mark.parametrize("error", [StoreUnavailable, BrokerUnavailable, CommitInDoubt])
def test_a_service_that_is_away_is_tried_again_and_never_dropped(error: type[Exception]) -> None:
    """DESIGN 8 (1): a database failure is always *retry*."""
    assert issubclass(error, RetryEvent)
    assert not issubclass(error, DropEvent | UserError)


@pytest.mark.parametrize("error", [RevisionLost, LeaseLost, AheadOfMemory, IllegalTransition])
def test_what_asks_for_a_reload_or_is_a_bug_is_neither_dropped_nor_simply_tried_again(
    error: type[Exception],
) -> None:
    """They have their own answer in the loop."""
    assert issubclass(error, OrchestratorError)
    assert not issubclass(error, DropEvent | RetryEvent | UserError)


@pytest.mark.parametrize(
    "error", [NotFound, Conflict, SettingsError, SchemaMismatch, DefinitionError, UnresolvedParameter]
)
def test_a_users_mistake_is_one(error: type[Exception]) -> None:
    """Exit code 2, HTTP 4xx; never the master's back-off."""
    assert issubclass(error, UserError)
    assert not issubclass(error, DropEvent | RetryEvent)


def test_only_forged_and_malformed_are_poison() -> None:
    """What goes to the dead-letter stream."""
    assert set(PoisonEvent.__subclasses__()) == {ForgedEvent, MalformedEvent}


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault(message="m"), "m"),
        (Fault(message="m", file="f.yaml"), "f.yaml: m"),
        (Fault(message="m", file="f.yaml", line=3), "f.yaml:3: m"),
        (Fault(message="m", task="load"), "task 'load': m"),
        (Fault(message="m", field="needs"), "field 'needs': m"),
        (
            Fault(message="m", file="f.yaml", line=3, task="load", field="needs"),
            "f.yaml:3: task 'load', field 'needs': m",
        ),
    ],
)
def test_fault_names_its_place(fault: Fault, text: str) -> None:
    """File, line, task, field: as much as is known."""
    assert str(fault) == text


def test_definition_error_lists_every_fault() -> None:
    """All at once, one a line, in order."""
    error = DefinitionError([Fault(message="one", line=1), Fault(message="two", line=2)])

    assert str(error) == "1: one\n2: two"
    assert [fault.message for fault in error.faults] == ["one", "two"]


def test_lost_rows_and_leases_name_what_was_lost() -> None:
    """Sorted, so that log lines compare."""
    revision, lease = RevisionLost({3, 1}), LeaseLost({9, 2})

    assert (revision.workflow_instance_ids, str(revision)) == (
        (1, 3),
        "workflow instances changed underneath: (1, 3)",
    )
    assert (lease.slots, str(lease)) == ((2, 9), "slots are no longer ours: (2, 9)")
