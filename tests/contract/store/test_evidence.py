"""What the database knows about why a run does not go on, read from real rows on both databases."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, insert, update

from orchestrator.core.command import CommandKind
from orchestrator.core.schedule import Fire
from orchestrator.store.backfills import Backfills
from orchestrator.store.evidence import Evidence, read_evidence
from orchestrator.store.leases import SlotLeases
from orchestrator.store.masters import Master
from orchestrator.store.new_backfills import BackfillRequest
from orchestrator.store.schema import command, error_command, slot_lease, workflow_instance
from orchestrator.store.session import writing
from tests.contract.store.bench import AT, OWNER, Bench

DAY = datetime(2026, 11, 1, 2, tzinfo=UTC)


def look(bench: Bench, number: int, living_s: float = 60.0) -> Evidence:
    """Read the evidence about a run."""
    return read_evidence(bench.engine, number, number % 64, living_s)


def test_holder_of_the_slot_is_named_as_long_as_its_lease_lives(bench: Bench) -> None:
    """By its name; a lease without the master's row shows its incarnation."""
    number = bench.submit().id
    held = look(bench, number).coordinator
    with writing(bench.engine) as connection:
        connection.execute(update(slot_lease).values(expires_at=AT))

    assert held == OWNER
    assert look(bench, number).coordinator is None


def test_masters_that_live_are_told_from_those_that_were_seen_last(bench: Bench) -> None:
    """The name counts for people; who has left does not live."""
    number = bench.submit().id
    with writing(bench.engine) as connection:
        connection.execute(update(slot_lease).values(owner=None, expires_at=None))
    leases = SlotLeases(bench.engine, Master(incarnation="i7", name="m7", host="h", pid=7))
    held = leases.acquire("i7", 60.0)
    living = look(bench, number)
    leases.release(held)

    left = look(bench, number)

    assert (living.coordinator, living.others) == ("m7", ("m7",))
    assert (left.coordinator, left.others) == (None, ())
    assert left.last_master_at is not None
    assert left.last_master_at <= left.now


def test_commands_of_this_run_are_told_in_their_order(bench: Bench) -> None:
    """Not those of others."""
    number = bench.submit().id
    bench.submit()
    bench.commands.send(number, CommandKind.STOP)

    assert [asked.kind for asked in look(bench, number).commands] == ["START", "STOP"]


def test_refused_commands_come_with_time_and_reason(bench: Bench) -> None:
    """The newest first."""
    number = bench.submit().id
    row = {
        "slot": number,
        "workflow_instance_id": number,
        "kind": "START",
        "body": {},
        "created_at": AT,
        "failed_at": AT,
        "reason": "no",
    }
    with writing(bench.engine) as connection:
        connection.execute(insert(error_command), [{**row, "id": 1}, {**row, "id": 2, "reason": "never"}])

    refused = look(bench, number).refused

    assert [(asked.kind, asked.reason, asked.at) for asked in refused] == [
        ("START", "never", AT),
        ("START", "no", AT),
    ]


def test_place_in_a_backfill_names_who_goes_first(bench: Bench) -> None:
    """Two at a time: the third and the fourth wait, the first two have not ended."""
    fires = tuple(Fire(planned_time=DAY + timedelta(days=n), interval_start=None) for n in range(4))
    filled = Backfills(bench.engine).create(
        BackfillRequest(
            definition_id=bench.deploy().id,
            fires=fires,
            first=fires[0].planned_time,
            last=fires[-1].planned_time,
            cron="0 2 * * *",
            timezone="UTC",
            max_parallel=2,
        )
    )
    with writing(bench.engine) as connection:
        ended = workflow_instance.c.id == filled.runs[0]
        connection.execute(update(workflow_instance).where(ended).values(state="SUCCESS"))

    last = look(bench, filled.runs[3]).backfill
    released = look(bench, filled.runs[1]).backfill

    assert last is not None
    assert (last.id, last.max_parallel, last.waiting) == (filled.id, 2, 1)
    assert (last.going_on, last.released_at) == ((filled.runs[1],), None)
    assert released is not None
    assert released.released_at is not None


def test_run_of_no_backfill_without_commands_has_no_evidence(bench: Bench) -> None:
    """Nothing was asked, nothing holds it."""
    number = bench.submit().id
    with writing(bench.engine) as connection:
        connection.execute(delete(command))

    evidence = look(bench, number)

    assert (evidence.commands, evidence.refused, evidence.backfill) == ((), (), None)
