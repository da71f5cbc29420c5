"""Turns: who is next among the runs of a serial workflow, whoever commits at the same moment, whatever crashes."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from orchestrator.core.changes import Changes, InstanceChange, Leases
from orchestrator.core.command import CommandKind
from orchestrator.core.definition import Execution
from orchestrator.core.instance import Head
from orchestrator.core.serial import Turn, TurnStep, turns_of
from orchestrator.core.status import WorkflowState
from orchestrator.errors import LeaseLost, RevisionLost
from orchestrator.store.commit import GroupCommit
from orchestrator.store.definitions import Definitions
from orchestrator.store.evidence import TurnPlace, read_evidence
from orchestrator.store.schema import command, serial_holder, workflow_instance
from orchestrator.store.session import reading, writing
from orchestrator.store.turns import Stopped, Turns
from tests.contract.store.bench import OWNER, Bench, make_definition
from tests.programs import run_text

W, S = WorkflowState, Execution
CRASHED = 137

MASTER = """
import sys
from orchestrator import crash
from orchestrator.core.changes import Leases
from orchestrator.master.turns import Turnkeeper
from orchestrator.store.session import open_engine
from orchestrator.store.turns import Turns

url, owner, point = sys.argv[1:]
leases = Leases(owner=owner, epochs=dict.fromkeys(range(64), 1))
crash.arm(point)
Turnkeeper(Turns(open_engine(url, "master")), leases, lambda slot: None, lambda: 0.0).step()
"""


def step(
    bench: Bench, number: int, state: WorkflowState, execution: Execution = S.SERIAL_WAIT, **head: Any
) -> Head:
    """Let a run go to a state, in a commit of its own with its slot's lease, as its master does."""
    loaded = bench.load(number)
    after = replace(loaded.head, state=state, **head)
    took = after.has_turn and not loaded.head.has_turn
    turns = turns_of(execution, loaded.head, after, took=took) if execution is not S.PARALLEL else ()
    changes = Changes(
        instances=(InstanceChange(head=after, revision=loaded.revision),),
        turns=tuple(turns),
        done_commands=tuple(
            one.id
            for one in bench.commands.pending([after.slot], 100)
            if one.workflow_instance_id == number and (took or one.kind is CommandKind.START)
        ),
    )
    epochs = {after.slot: bench.leases.epochs[after.slot]}
    GroupCommit(bench.engine).commit(changes, Leases(owner=OWNER, epochs=epochs))
    return after


def ask(bench: Bench, number: int, execution: Execution = S.SERIAL_WAIT) -> None:
    """Let a run wait for its turn."""
    step(bench, number, W.WAITING, execution)


def begin(bench: Bench, number: int) -> None:
    """Let a run begin that was woken."""
    step(bench, number, W.RUNNING, has_turn=True)


def end(bench: Bench, number: int) -> None:
    """Let a run end."""
    step(bench, number, W.SUCCESS, has_turn=False)


def new(bench: Bench, number: int = 1, **fields: Any) -> list[int]:
    """Submit so many runs."""
    definition = make_definition(**{"execution": S.SERIAL_WAIT, **fields})
    deployed = Definitions(bench.engine).deploy(definition)
    return [bench.submit(definition_id=deployed.id).id for _ in range(number)]


def holder(bench: Bench) -> int | None:
    """Return who has been given the turn."""
    with reading(bench.engine) as connection:
        number: int | None = connection.execute(select(serial_holder.c.workflow_instance_id)).scalar_one()
    return number


def mail(bench: Bench) -> list[tuple[int, str]]:
    """Return whom the order of turns has sent what."""
    found = bench.commands.pending(range(64), 1000)
    return [(one.workflow_instance_id, one.kind.value) for one in found if "serial" in one.body]


def together(*acts: Callable[[], None]) -> list[object]:
    """Do things at the same moment; return what they came to, errors included."""
    gate = Barrier(len(acts))

    def act(what: Callable[[], None]) -> object:
        gate.wait()
        try:
            what()
        except Exception as error:  # noqa: BLE001  the test looks at it
            return error
        return None

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(act, acts))


def test_first_that_asks_is_woken_and_the_others_follow_in_their_order(bench: Bench) -> None:
    """Each is woken in the transaction in which the one before it ends."""
    first, second, third = new(bench, 3)
    for number in (first, third, second):
        ask(bench, number)
    assert (holder(bench), mail(bench)) == (first, [(first, "WAKE")])

    order = []
    for _ in range(3):
        woken = holder(bench)
        assert woken is not None
        begin(bench, woken)
        end(bench, woken)
        order.append(woken)
    assert (order, holder(bench), mail(bench)) == ([first, second, third], None, [])


def test_nobody_begins_whose_turn_it_is_not(bench: Bench) -> None:
    """The database refuses it, whatever a master believes."""
    first, second = new(bench, 2)
    ask(bench, first)
    ask(bench, second)
    before = bench.contents()

    with pytest.raises(RevisionLost):
        begin(bench, second)

    assert bench.contents() == before


def test_many_that_ask_at_the_same_moment_are_given_one_turn(bench: Bench) -> None:
    """Masters of different slots, each with a transaction of its own."""
    numbers = new(bench, 6)

    assert together(*(lambda number=number: ask(bench, number) for number in numbers)) == [None] * 6

    found = mail(bench)
    assert (len(found), found[0]) == (1, (holder(bench), "WAKE"))
    assert Turns(bench.engine).look(range(64)) == []


@pytest.mark.parametrize("attempt", range(8))
def test_chain_goes_on_when_one_ends_while_another_asks(bench: Bench, attempt: int) -> None:
    """Whoever commits first: the newcomer is woken, once."""
    first, second = new(bench, 2)
    ask(bench, first)
    begin(bench, first)

    assert together(lambda: ask(bench, second), lambda: end(bench, first)) == [None, None], attempt

    assert (holder(bench), mail(bench)) == (second, [(second, "WAKE")])


def test_of_many_that_discard_themselves_one_goes_on(bench: Bench) -> None:
    """Each of the others finds a STOP that says who has the turn."""
    numbers = new(bench, 4, execution=S.SERIAL_DISCARD)

    together(*(lambda number=number: ask(bench, number, S.SERIAL_DISCARD) for number in numbers))

    lucky = holder(bench)
    assert sorted(mail(bench)) == sorted(
        [(number, "WAKE" if number == lucky else "STOP") for number in numbers]
    )
    reasons = {one.body["reason"] for one in bench.commands.pending(range(64), 100) if one.kind == "STOP"}
    assert reasons == {f"stopped: run {lucky} has the turn (serial_discard)"}


def test_newcomer_of_priority_stops_all_but_itself(bench: Bench) -> None:
    """What runs, waits and is paused; not what nobody has started yet, nor what has ended."""
    ended, running, waiting, paused, unstarted, newcomer = new(bench, 6)
    ask(bench, ended)
    begin(bench, ended)
    end(bench, ended)
    ask(bench, running)
    begin(bench, running)
    ask(bench, waiting)
    ask(bench, paused)
    step(bench, paused, W.PAUSED)
    assert mail(bench) == []

    ask(bench, newcomer, S.SERIAL_PRIORITY)

    assert mail(bench) == [(running, "STOP"), (waiting, "STOP"), (paused, "STOP")]
    assert holder(bench) == running
    assert bench.load(unstarted).head.state is W.SUBMITTED


def test_run_that_is_paused_while_it_waits_is_passed_over(bench: Bench) -> None:
    """The turn goes on in the same transaction; under way, a paused run keeps it."""
    first, second = new(bench, 2)
    ask(bench, first)
    ask(bench, second)
    step(bench, first, W.PAUSED)
    assert holder(bench) == second
    begin(bench, second)

    step(bench, second, W.PAUSED)
    ask(bench, first)

    assert (holder(bench), mail(bench)) == (second, [(first, "WAKE")])  # the first one's old WAKE is void


def test_mend_needs_the_lease(bench: Bench) -> None:
    """A zombie passes no turn on."""
    stuck = Stopped(workflow="nightly", slot=3)

    with pytest.raises(LeaseLost):
        Turns(bench.engine).mend(stuck, Leases(owner="zombie", epochs={3: 1}))


@pytest.mark.parametrize("point", ["serial.before_flush", "serial.after_flush", "serial.after_commit"])
def test_sweep_may_die_at_any_point(bench: Bench, point: str) -> None:
    """The next one looks, and finds it done or not: one WAKE in the end."""
    if bench.engine.url.database == ":memory:":
        pytest.skip("another process cannot see a database in memory")
    first, _ = new(bench, 2)
    ask(bench, first)
    with writing(bench.engine) as connection:
        connection.execute(delete(command))
    url = bench.engine.url.render_as_string(hide_password=False)

    died = run_text(MASTER, url, OWNER, point)

    assert died == CRASHED
    for stuck in Turns(bench.engine).look(range(64)):
        assert Turns(bench.engine).mend(stuck, bench.leases).repaired
    assert mail(bench) == [(first, "WAKE")]
    (line,) = Turns(bench.engine).lines()
    assert line.repairs == 1


def test_place_says_who_has_the_turn_and_how_many_come_before(bench: Bench) -> None:
    """What `runs explain` tells."""
    first, second, third, other = new(bench, 4)
    for number in (first, second, third):
        ask(bench, number)
    begin(bench, first)

    def place(number: int) -> TurnPlace | None:
        return read_evidence(bench.engine, number, number % 64, 60.0).turn

    found = [place(number) for number in (first, second, third, other)]
    since = found[0].since if found[0] is not None else None
    assert since is not None
    assert found == [
        TurnPlace(holder=first, state="RUNNING", since=since, ahead=2),
        TurnPlace(holder=first, state="RUNNING", since=since, ahead=0),
        TurnPlace(holder=first, state="RUNNING", since=since, ahead=1),
        None,
    ]


def test_deleted_workflow_leaves_no_turn_behind(bench: Bench) -> None:
    """A new one of the same name begins anew."""
    (number,) = new(bench)
    ask(bench, number)
    begin(bench, number)
    end(bench, number)
    with writing(bench.engine) as connection:
        connection.execute(delete(command))
        connection.execute(delete(workflow_instance))
    Definitions(bench.engine).set_online("nightly", online=False)
    Definitions(bench.engine).delete("nightly")

    assert bench.contents()["serial_holder"] == []


def test_turn_of_a_run_that_was_deleted_goes_to_the_next(bench: Bench) -> None:
    """Whoever asks next is given it; the sweep would do it, too."""
    first, second = new(bench, 2)
    ask(bench, first)
    with writing(bench.engine) as connection:
        connection.execute(delete(command))
        connection.execute(
            update(workflow_instance).where(workflow_instance.c.id == first).values(state="STOPPED")
        )

    ask(bench, second)

    assert (holder(bench), mail(bench)) == (second, [(second, "WAKE")])


def test_parallel_run_has_the_turn_only_while_somebody_waits_for_it(bench: Bench) -> None:
    """When the last one that waits for it is stopped, nobody has the turn: a parallel run gives none back."""
    (guest,) = new(bench, execution=S.PARALLEL)
    step(bench, guest, W.RUNNING, S.PARALLEL, has_turn=True)
    (waits,) = new(bench)
    ask(bench, waits)
    assert holder(bench) == guest

    step(bench, waits, W.STOPPED)

    assert holder(bench) is None
    step(bench, guest, W.SUCCESS, S.PARALLEL, has_turn=False)
    assert holder(bench) is None


def test_serial_run_waits_for_no_parallel_run_of_a_later_version(bench: Bench) -> None:
    """Also when somebody of a version still later waited for that one."""
    (first,) = new(bench)
    (guest,) = new(bench, execution=S.PARALLEL)
    step(bench, guest, W.RUNNING, S.PARALLEL, has_turn=True)
    (last,) = new(bench, description="again serial")
    ask(bench, last)
    assert (holder(bench), mail(bench)) == (guest, [])

    ask(bench, first)

    assert (holder(bench), mail(bench)) == (first, [(first, "WAKE")])


def test_who_asks_later_does_not_change_since_when_a_parallel_run_is_waited_for(bench: Bench) -> None:
    """`runs explain` says since when the turn is another one's."""
    (guest,) = new(bench, execution=S.PARALLEL)
    step(bench, guest, W.RUNNING, S.PARALLEL, has_turn=True)
    first, second = new(bench, 2)
    ask(bench, first)
    before = bench.contents()["serial_holder"]

    ask(bench, second)

    assert bench.contents()["serial_holder"] == before


def test_steps_of_several_workflows_are_settled_each_for_itself(bench: Bench) -> None:
    """In one transaction, in the order of names, so that two masters cannot lock each other out."""
    numbers = [new(bench, name=name)[0] for name in ("b", "a")]
    heads = [replace(bench.load(number).head, state=W.WAITING) for number in numbers]
    turns = [
        Turn(workflow=head.workflow, workflow_instance_id=head.id, execution=S.SERIAL_WAIT, step=TurnStep.ASK)
        for head in heads
    ]
    bench.commit(*(InstanceChange(head=head, revision=0) for head in heads), turns=tuple(turns))

    assert sorted(mail(bench)) == sorted((number, "WAKE") for number in numbers)
