"""The group commit: fence, revisions, rows that must be hit, and everything or nothing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text, update

from orchestrator.core.changes import Changes, InstanceChange, Leases
from orchestrator.core.command import Alert, CommandKind
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.errors import LeaseLost, RevisionLost
from orchestrator.store import schema
from orchestrator.store.leases import SlotLeases
from orchestrator.store.outbox import Outbox
from orchestrator.store.session import is_postgres, writing
from tests.contract.store.bench import AT, OWNER, Bench, make_alert, make_attempt, make_mail

SLOTS = range(64)


def test_rows_are_read_back_as_they_were_written(bench: Bench) -> None:
    """Every field of head and attempt survives a commit and a load, nested and foreign texts included."""
    loaded = bench.submit_and_load()
    head = replace(
        loaded.head,
        state=WorkflowState.PAUSING,
        run_count=2,
        started_at=AT,
        ended_at=AT,
        timeout_at=AT,
        paused_at=AT,
        timed_out=True,
        ending=True,
        next_sequence=7,
        reason="because ' of \" \\ é 日本 :name %s",
        params={"z": 1, "a": [None, {"deep": [1.5, True]}]},
        start_nodes=("a", "b"),
        held=("c", "d'é"),
    )
    attempt = make_attempt(
        loaded,
        "a'\"é",
        dispatch=3,
        failures=1,
        losses=2,
        deaths=1,
        due_at=AT,
        dispatched_at=AT,
        started_at=AT,
        ended_at=AT,
        timeout_at=AT,
        worker="w1@host",
        incarnation="i1",
        reported=True,
        host="host",
        pid=2**31,
        process_group=4711,
        log_path="/logs/17",
        external_ids={"pod": "x"},
        worker_clock=AT + timedelta(hours=1),
        exit_code=-9,
        reason="signal SIGKILL",
        outputs={"b": 2**70, "a": {"list": [1, "zwei", 3.5, None, False]}, "text": "\\u0000 %(x)s"},
        rejected_by=("w2 overload", "w3 draining"),
        cache_key="c" * 64,
    )

    bench.commit(InstanceChange(head=head, revision=0, new=(attempt,)))

    read = bench.load(head.id)
    assert read.head == head
    assert read.attempts == (attempt,)
    assert list(read.attempts[0].outputs) == ["b", "a", "text"]


def test_changed_attempts_are_overwritten_in_every_field(bench: Bench) -> None:
    """A changed row holds exactly what memory holds, also where a field went back to empty."""
    loaded = bench.run_with("a", "b")
    running = replace(
        loaded.attempts[0], state=TaskState.RUNNING, worker="w", started_at=AT, outputs={"x": 1}
    )
    bench.commit(InstanceChange(head=loaded.head, revision=1, changed=(running,)))

    again = replace(running, state=TaskState.SUBMITTED, worker=None, started_at=None, outputs={}, dispatch=2)
    bench.commit(InstanceChange(head=loaded.head, revision=2, changed=(again,)))

    assert bench.load(loaded.head.id).attempts == (again, loaded.attempts[1])


def test_each_commit_moves_the_revision_on_and_stamps_the_epoch(bench: Bench) -> None:
    """The rows say under which lease they were last written (O6)."""
    loaded = bench.run_with("a")

    (row,) = bench.contents()["workflow_instance"]
    assert (row["revision"], row["epoch"]) == (1, 1)
    assert bench.load(loaded.head.id).revision == 1


def test_commit_returns_the_database_clock(bench: Bench) -> None:
    """The master's clock follows the database's."""
    before = bench.committer.database_now()
    at = bench.commit()

    assert before <= at <= bench.committer.database_now()
    assert at.tzinfo == UTC
    assert abs(datetime.now(UTC) - at) < timedelta(seconds=5)


@pytest.mark.parametrize("changes_rows", [True, False])
@pytest.mark.parametrize(
    ("owner", "epochs", "lost"),
    [
        ("somebody else", dict.fromkeys(SLOTS, 1), tuple(SLOTS)),
        (OWNER, {**dict.fromkeys(SLOTS, 1), 5: 2, 1: 0}, (1, 5)),
        (OWNER, {0: 1, 1: 1, 64: 1}, (64,)),
    ],
)
def test_lost_lease_writes_nothing(
    bench: Bench, *, changes_rows: bool, owner: str, epochs: dict[int, int], lost: tuple[int, ...]
) -> None:
    """I18: another owner, an old epoch or an unknown slot: refused, also when no row changes."""
    # Teeth: fails when `_fence` compares neither owner nor epoch.
    loaded = bench.run_with("a")
    change = InstanceChange(head=replace(loaded.head, reason="zombie"), revision=1)
    before = bench.contents()

    with pytest.raises(LeaseLost) as raised:
        bench.committer.commit(
            Changes(instances=(change,) if changes_rows else ()), Leases(owner=owner, epochs=epochs)
        )

    assert raised.value.slots == lost
    assert bench.contents() == before


def test_zombie_master_is_refused_after_a_takeover(bench: Bench) -> None:
    """I18: a master that slept through its lease neither writes nor (since it must commit first) acknowledges."""
    zombie = SlotLeases(bench.engine)
    asleep = zombie.renew(bench.leases, -1.0)
    loaded = bench.run_with("a")
    taken = SlotLeases(bench.engine).acquire("incarnation-2", 60.0)
    before = bench.contents()

    with pytest.raises(LeaseLost):
        bench.committer.commit(Changes(instances=(InstanceChange(head=loaded.head, revision=1),)), asleep)

    assert bench.contents() == before
    assert set(taken.epochs.values()) == {2}


def test_instance_of_a_slot_without_lease_is_refused(bench: Bench) -> None:
    """A batch cannot write what it does not speak for."""
    loaded = bench.run_with("a")
    others = {slot: 1 for slot in SLOTS if slot != loaded.head.slot}

    with pytest.raises(LeaseLost) as raised:
        bench.committer.commit(
            Changes(instances=(InstanceChange(head=loaded.head, revision=1),)),
            Leases(owner=OWNER, epochs=others),
        )

    assert raised.value.slots == (loaded.head.slot,)


def test_expired_lease_that_nobody_took_still_commits(bench: Bench) -> None:
    """After an outage the owner goes on: the epoch decides, not the time."""
    SlotLeases(bench.engine).renew(bench.leases, -1.0)

    bench.run_with("a")

    assert len(bench.contents()["task_instance"]) == 1


@pytest.mark.parametrize("revision", [0, 2])
def test_wrong_revision_loses_the_whole_batch(bench: Bench, revision: int) -> None:
    """Memory that is behind (or ahead of) one row writes none, and learns which it is."""
    # Teeth: fails without `raise RevisionLost(missing)` after `update_heads`.
    good, bad = bench.run_with("a"), bench.run_with("a")
    before = bench.contents()

    with pytest.raises(RevisionLost) as raised:
        bench.commit(
            InstanceChange(head=replace(good.head, reason="x"), revision=1),
            InstanceChange(head=replace(bad.head, reason="x"), revision=revision),
            alerts=(make_alert(good),),
        )

    assert raised.value.workflow_instance_ids == (bad.head.id,)
    assert bench.contents() == before


def test_instance_that_is_gone_loses_the_batch(bench: Bench) -> None:
    """A deleted run is noticed by the guarded write."""
    loaded = bench.run_with("a")

    with pytest.raises(RevisionLost) as raised:
        bench.commit(InstanceChange(head=replace(loaded.head, id=99 * 64 + loaded.head.slot), revision=1))

    assert raised.value.workflow_instance_ids == (99 * 64 + loaded.head.slot,)


def test_changed_attempt_without_row_loses_the_batch(bench: Bench) -> None:
    """Every write checks that it hit its row."""
    # Teeth: fails when the answer of `update_attempts` is ignored.
    loaded, other = bench.run_with("a"), bench.run_with("a")
    before = bench.contents()

    with pytest.raises(RevisionLost) as raised:
        bench.commit(
            InstanceChange(
                head=loaded.head, revision=1, changed=(replace(loaded.attempts[0], attempt=2, reason="x"),)
            ),
            InstanceChange(head=other.head, revision=1, changed=other.attempts),
        )

    assert raised.value.workflow_instance_ids == (loaded.head.id,)
    assert bench.contents() == before


def test_withdrawn_attempts_are_kept_and_their_successors_become_current(bench: Bench) -> None:
    """Nothing else of their rows changes; what has no successor yet is loaded with its last number."""
    loaded = bench.run_with("a", "b")
    a, b = loaded.attempts
    head = replace(loaded.head, run_count=2)
    second = make_attempt(loaded, "a", attempt=2, sequence=3)

    bench.commit(InstanceChange(head=head, revision=1, withdrawn=(a, b), new=(second,)))

    read = bench.load(head.id)
    assert (read.attempts, read.spent) == ((second,), {"b": 1})
    assert bench.instances.attempts([a.key, b.key]) == {
        a.key: replace(a, current=False),
        b.key: replace(b, current=False),
    }


def test_withdrawing_what_is_not_current_loses_the_revision(bench: Bench) -> None:
    """Memory was wrong about the run: nothing at all is written."""
    loaded = bench.run_with("a", "b")
    a, b = loaded.attempts
    bench.commit(InstanceChange(head=loaded.head, revision=1, withdrawn=(a,)))
    before = bench.contents()

    with pytest.raises(RevisionLost):
        bench.commit(InstanceChange(head=loaded.head, revision=2, withdrawn=(b, a)))

    assert bench.contents() == before


def test_withdrawing_an_older_attempt_leaves_the_current_one_alone(bench: Bench) -> None:
    """The row is named by its whole key: another attempt of the same task is not meant."""
    # Teeth: fails when `bulk.withdraw_attempts` names tasks alone (SQLite).
    loaded = bench.run_with("a")
    (first,) = loaded.attempts
    second = replace(first, attempt=2, sequence=2)
    bench.commit(InstanceChange(head=loaded.head, revision=1, withdrawn=(first,), new=(second,)))

    with pytest.raises(RevisionLost):
        bench.commit(InstanceChange(head=loaded.head, revision=2, withdrawn=(first,)))

    assert [one.attempt for one in bench.load(loaded.head.id).attempts] == [2]


def test_attempts_of_an_ended_run_are_loaded_where_they_are_asked_for(bench: Bench) -> None:
    """A command may let it run again; everybody else gets its head only."""
    loaded = bench.run_with("a")
    head = replace(loaded.head, state=WorkflowState.FAILURE)
    bench.commit(InstanceChange(head=head, revision=1))

    whole = bench.instances.load([head.id], whole=[head.id])[head.id]

    assert (bench.load(head.id).attempts, whole.attempts) == ((), loaded.attempts)


def test_replacement_becomes_current_in_the_same_commit(bench: Bench) -> None:
    """A retry takes over `current`; only current attempts are loaded, each is found by its key."""
    loaded = bench.run_with("a")
    first = replace(loaded.attempts[0], state=TaskState.FAILURE, current=False, outputs={"x": 1})
    second = make_attempt(loaded, "a", attempt=2, sequence=2, failures=1)

    bench.commit(InstanceChange(head=loaded.head, revision=1, changed=(first,), new=(second,)))

    assert bench.load(loaded.head.id).attempts == (second,)
    missing = (loaded.head.id, "a", 3)
    assert bench.instances.attempts([first.key, second.key, missing]) == {
        first.key: first,
        second.key: second,
    }
    assert bench.instances.outputs([first.key, missing]) == {first.key: {"x": 1}}


def test_commands_end_and_mail_arrives_in_the_same_commit(bench: Bench) -> None:
    """Exactly once: the receiver's command goes, the next one comes, a hopeless one is kept with its reason."""
    loaded = bench.submit_and_load()
    (start,) = bench.commands.pending(SLOTS, 10)
    hopeless = bench.commands.send(loaded.head.id, CommandKind.RESUME, {"by": "me"})

    bench.commit(
        InstanceChange(head=loaded.head, revision=0),
        done_commands=(start.id,),
        failed_commands={hopeless.id: "it is not paused"},
        mail=(make_mail(loaded),),
    )

    (mail,) = bench.commands.pending(SLOTS, 10)
    assert (mail.kind, mail.body, mail.slot) == (CommandKind.STOP, {"why": ["é", 1]}, loaded.head.slot)
    (failed,) = bench.commands.failed()
    assert (failed["id"], failed["reason"], failed["body"]) == (hopeless.id, "it is not paused", {"by": "me"})
    assert bench.commands.redrive([hopeless.id]) == 1
    assert bench.commands.failed() == []
    assert [one.kind for one in bench.commands.pending(SLOTS, 10)] == [CommandKind.STOP, CommandKind.RESUME]


def test_a_command_that_cannot_be_read_is_told_from_the_others_and_kept(bench: Bench) -> None:
    """I7 for commands: it hides nobody behind it, and stands in `error_command` as it was."""
    loaded = bench.submit_and_load()
    broken = {kind: bench.commands.send(loaded.head.id, CommandKind.STOP).id for kind in ("DANCE", "PAUSE")}
    wrong = [("DANCE", "{}"), ("PAUSE", "[1]")]
    if not is_postgres(bench.engine):
        broken["RESUME"] = bench.commands.send(loaded.head.id, CommandKind.STOP).id
        wrong.append(("RESUME", '{"by": '))
    with writing(bench.engine) as connection:
        for kind, body in wrong:
            statement = text("UPDATE command SET kind = :kind, body = :body WHERE id = :id")
            connection.execute(statement, {"kind": kind, "body": body, "id": broken[kind]})

    pending = bench.commands.look(SLOTS, 10)

    assert [one.kind for one in pending.commands] == [CommandKind.START]
    assert [one.id for one in pending.unreadable] == list(broken.values())
    assert "DANCE" in pending.unreadable[0].reason
    bench.commit(failed_commands={one.id: one.reason for one in pending.unreadable})
    assert len(bench.commands.look(SLOTS, 10)) == 1
    kept = {row["kind"]: (row["id"], row["body"]) for row in bench.commands.failed()}
    assert kept.pop("RESUME", None) in (None, (broken.get("RESUME"), '{"by": '))
    assert kept == {"DANCE": (broken["DANCE"], {}), "PAUSE": (broken["PAUSE"], [1])}
    assert bench.commands.redrive(broken.values()) == len(broken)


def test_alert_of_one_fact_is_stored_once(bench: Bench) -> None:
    """The same key again is the same fact, also after it was delivered."""
    # Teeth: fails without `on_conflict_do_nothing`.
    loaded = bench.submit_and_load()
    outbox = Outbox(bench.engine)
    bench.commit(alerts=(make_alert(loaded), make_alert(loaded, "other")))
    bench.commit(alerts=(make_alert(loaded),))

    first, second = outbox.due(SLOTS, 10)
    assert (first.key, first.body, first.tries) == ("17:workflow_failure:1", {"a": 1}, 0)
    outbox.delivered([first.id])
    outbox.postpone(second.id, 3600, "connection refused")
    bench.commit(alerts=(make_alert(loaded), make_alert(loaded, "other")))

    assert outbox.due(SLOTS, 10) == []
    assert len(bench.contents()["outbox"]) == 2


def test_delivered_alerts_of_no_run_are_forgotten_in_the_end(bench: Bench) -> None:
    """A buried event belongs to no run that could take its row along: its key refuses repeats for a week only."""
    # Teeth: without the deletion every event that was ever buried leaves a row for ever.
    loaded = bench.submit_and_load()
    of_a_run, waiting, told = make_alert(loaded), *(_buried(name) for name in ("waiting", "told"))
    bench.commit(alerts=(of_a_run, waiting, told))
    rows = {row["key"]: row["id"] for row in bench.contents()["outbox"]}
    outbox = Outbox(bench.engine)
    outbox.delivered([rows[of_a_run.key], rows[told.key]])
    assert len(bench.contents()["outbox"]) == 3

    with writing(bench.engine) as connection:
        long_ago = AT - timedelta(days=400)
        chosen = update(schema.outbox).where(schema.outbox.c.delivered_at.is_not(None))
        connection.execute(chosen.values(delivered_at=long_ago))
    outbox.delivered([])

    assert {row["key"] for row in bench.contents()["outbox"]} == {of_a_run.key, waiting.key}


def _buried(key: str) -> Alert:
    return Alert(key=key, slot=1, workflow_instance_id=None, kind="buried")
