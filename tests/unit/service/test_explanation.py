"""`explain` on a real store: what is read, and what is refused."""

import fakeredis
import pytest

from orchestrator.authoring.load import load_text
from orchestrator.broker.presence import WorkerBeat
from orchestrator.config import load_settings
from orchestrator.core.command import CommandKind
from orchestrator.errors import NotFound
from orchestrator.service import definitions, submission
from orchestrator.service.backend import Backend
from orchestrator.service.backfills import BackfillOptions, backfill
from orchestrator.service.control import control
from orchestrator.service.explaining.causes import Kind
from orchestrator.service.explaining.gathering import gather
from orchestrator.service.explanation import explain
from orchestrator.store.leases import SlotLeases
from tests.unit.service.submitting import SMALL, submit_small

WITH_WIRE = """
workflow: {name: wired}
tasks:
  - {name: a, type: noop}
  - {name: wire, type: noop, needs: [a], disabled: true}
  - {name: b, type: noop, needs: [wire]}
"""


@pytest.fixture
def attended(backend: Backend) -> Backend:
    """Give services with a Redis, and a master that holds all slots."""
    vars(backend)["redis"] = fakeredis.FakeRedis()
    SlotLeases(backend.engine).acquire("m1", 60.0)
    return backend


def kinds(backend: Backend, number: int, task: str | None = None) -> list[Kind]:
    """Return what `explain` finds."""
    return [cause.kind for cause in explain(backend, number, task)]


def test_run_without_master_and_redis_says_both(backend: Backend) -> None:
    """A home in which nothing was started: services first, then the START that waits."""
    number = submit_small(backend)

    assert kinds(backend, number)[:3] == [Kind.REDIS_AWAY, Kind.NO_MASTER, Kind.COMMAND_WAITS]


def test_asking_changes_no_row(attended: Backend) -> None:
    """It only reads: the command that waits still waits."""
    number = submit_small(attended)
    explain(attended, number)

    assert explain(attended, number)[0].detail.startswith("a START waits")
    assert attended.redis.keys() == []


def test_task_of_a_run_that_waits_for_its_start_has_its_runs_causes(attended: Backend) -> None:
    """And its own."""
    number = submit_small(attended)

    assert kinds(attended, number, "two") == [Kind.COMMAND_WAITS, Kind.UPSTREAM]


def test_overloaded_master_of_the_slot_is_why_a_start_waits(attended: Backend) -> None:
    """Another master's overload does not matter."""
    number = submit_small(attended)
    said = {"last_heartbeat": "2026-11-01T12:00:00+00:00", "parked": []}
    attended.masters.publish("m2", {**said, "name": "m2", "slots": [], "overloaded": "cpu"})
    before = kinds(attended, number)
    attended.masters.publish("m1", {**said, "name": "m1", "slots": [number], "overloaded": "inbox"})

    assert (before[0], kinds(attended, number)[0]) == (Kind.COMMAND_WAITS, Kind.OVERLOAD)


def test_parked_run_is_found_on_the_masters_board(attended: Backend) -> None:
    """Since when: the master counts seconds by its own watch."""
    number = submit_small(attended)
    parked = {"workflow_instance_id": number, "error": "Boom", "since_s": 30.0, "tries": 4, "entries": 1}
    attended.masters.publish(
        "m1", {"name": "m1", "last_heartbeat": "2026-11-01T12:00:00+00:00", "parked": [parked]}
    )

    cause = explain(attended, number)[0]

    assert cause.kind is Kind.PARKED
    assert cause.to_document()["since"] == "2026-11-01T11:59:30Z"


def test_workers_and_waiting_attempts_are_read(attended: Backend) -> None:
    """Who drains, who serves what, how many wait over all masters."""
    number = submit_small(attended)
    attended.presence.beat(WorkerBeat(name="w1", incarnation="i1", groups=("gpu",), state="draining"))
    for name in ("m1", "m2"):
        attended.masters.publish(name, {"name": name, "waiting": {"gpu": 3}})

    fleet = gather(attended, number).fleet

    assert fleet is not None
    assert [(one.name, one.is_draining, one.is_lost) for one in fleet.workers] == [("w1", True, False)]
    assert fleet.waiting == {"gpu": 6}


def test_second_run_of_a_serial_backfill_waits_for_the_first(attended: Backend) -> None:
    """Real rows of a backfill: SUBMITTED without a START."""
    definitions.deploy(attended, load_text(SMALL), online=True)
    options = BackfillOptions(first="2026-11-01", last="2026-11-03", max_parallel=1)
    first, second, third = backfill(attended, "small", options)["workflow_instance_ids"]

    assert kinds(attended, first)[0] is Kind.COMMAND_WAITS
    assert kinds(attended, second)[0] is Kind.BACKFILL
    assert f"{first} not ended, and 1 wait before it" in explain(attended, third)[0].detail


def test_pause_that_nobody_has_taken_is_told_beside_the_start(attended: Backend) -> None:
    """In the order in which they were sent."""
    number = submit_small(attended)
    control(attended, CommandKind.PAUSE, [number])

    told = [cause.detail for cause in explain(attended, number) if cause.kind is Kind.COMMAND_WAITS]

    assert [detail.split()[1] for detail in told] == ["START", "PAUSE"]


def test_disabled_task_and_one_beside_the_start_nodes_say_why_they_are_no_part(attended: Backend) -> None:
    """They are in the definition, not in the run."""
    definitions.deploy(attended, load_text(WITH_WIRE), online=True)
    options = submission.SubmitOptions(start_nodes=("b",), depends="only")
    number = int(submission.submit_texts(attended, "wired", (), options)["workflow_instance_id"])

    assert "disabled" in explain(attended, number, "wire")[0].detail
    assert "started from b (only)" in explain(attended, number, "a")[0].detail


def test_unknown_run_or_task_is_refused_with_what_may_have_been_meant(attended: Backend) -> None:
    """One clear message."""
    number = submit_small(attended)

    with pytest.raises(NotFound, match=r"no task 'twoo' \(did you mean 'two'\?\)"):
        explain(attended, number, "twoo")
    with pytest.raises(NotFound, match="there is no run 999"):
        explain(attended, 999)


def test_database_that_does_not_answer_is_the_cause() -> None:
    """Nothing else is known then; the message names the remedy."""
    settings = load_settings({"ORCHESTRATOR_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"})

    (cause,) = explain(Backend(settings), 1)

    assert cause.kind is Kind.DATABASE_AWAY
    assert "ORCHESTRATOR_DATABASE_URL" in cause.remedy
