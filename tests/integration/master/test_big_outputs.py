"""Outputs above 1 KiB leave memory once they are committed, and come back whole where they are wanted."""

import gc
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import FunctionType, ModuleType
from typing import Any

import pytest
from sqlalchemy import Engine

from orchestrator.core.changes import Changes, InstanceChange
from orchestrator.core.event import TaskResult
from orchestrator.core.order import Order
from orchestrator.core.outputs import StoredOutputs, ValuesNotHere
from orchestrator.core.status import WorkflowState
from orchestrator.errors import StoreUnavailable
from orchestrator.master.lanes import AttemptKey
from orchestrator.store.instances import Instances
from orchestrator.testing.worker import Ending
from tests.integration.master.test_parking import take_all
from tests.world import World, a_task

KIB = 1024
BIG = {"text": "é" * 100 * KIB, "list": [1, {"deep": None}], "n": 1.5}


class Asked(Instances):
    """Instances whose outputs may be away.

    Attributes:
        away: The next questions about outputs fail.
        sick: A run whose outputs cannot be read, because of a bug.
        questions: How many attempts each question was about.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.away = False
        self.sick: int | None = None
        self.questions: list[int] = []

    def outputs(self, keys: Iterable[AttemptKey]) -> dict[AttemptKey, Mapping[str, Any]]:
        """Answer, unless away."""
        wanted = list(keys)
        self.questions.append(len(wanted))
        if self.away:
            raise StoreUnavailable("gone")
        if self.sick in {key[0] for key in wanted}:
            raise ValueError("no JSON")
        return super().outputs(wanted)


@pytest.fixture
def asked(world: World) -> Asked:
    """The source of the world's master, which counts questions."""
    source = Asked(world.rig.engine)
    world.rig.instances = source
    world.restart_master()
    return source


def test_memory_does_not_grow_with_the_outputs(memory_engine: Engine) -> None:
    """200 tasks of 200 KiB each: what can be reached from the run in memory stays far below one of them per task.

    Teeth: fails (40 MiB) without `Lanes.slim` in `Aftermath._follow`.
    """

    def big(order: Order) -> Ending:
        return Ending(outputs={order.task: "x" * 200 * KIB})

    world = World(memory_engine, by_hand=False, behaviour=big)
    names = [f"t{number}" for number in range(200)]
    world.submit(*(a_task(name) for name in names), a_task("end", *names, delay_s=3600.0))
    world.settle()

    assert world.instance.attempts["end"].state == "DELAYED"
    assert reachable_bytes(world.rig.master.lanes.all()) < 1000 * KIB
    world.assert_memory_equals_rows()
    world.restart_master()
    assert reachable_bytes(world.rig.master.lanes.all()) < 1000 * KIB
    assert all(len(row.outputs[row.task]) == 200 * KIB for row in world.rows() if row.task != "end")


@pytest.mark.parametrize("restarts", [False, True], ids=["same master", "after a restart"])
def test_a_downstream_task_gets_the_whole_value(world: World, *, restarts: bool) -> None:
    """By its own name, by bare name and all at once; types and nesting as they were.

    Teeth: fails without `Lanes.outputs` in `Dispatcher._orders`.
    """
    params = {"by_task": "${first.text}", "n": None, "everything": "${first.list}"}
    world.submit(a_task("first"), a_task("second", "first", type="python", params=params))
    order = world.started()
    if restarts:
        world.worker.result(order, outputs=BIG)
        world.read()
        world.step()
        world.restart_master()
    else:
        world.worker.result(order, outputs=BIG)
    world.settle()

    assert world.instance.attempts["first"].outputs == StoredOutputs(BIG)
    given = world.taken()
    assert given.params == {"by_task": BIG["text"], "n": BIG["n"], "everything": BIG["list"]}
    world.assert_memory_equals_rows()


def test_values_are_asked_for_once_for_all_that_want_them(world: World, asked: Asked) -> None:
    """One question for a fan-out that is dispatched together."""
    fan = [
        a_task(f"fan{number}", "first", "second", type="python", params={"x": "${first.text}"})
        for number in range(2)
    ]
    world.submit(a_task("first"), a_task("second"), *fan)
    world.settle()
    for order in world.worker.take_all().values():
        world.worker.result(order, outputs=BIG)
    world.settle()

    assert len(world.worker.take_all()) == 2
    assert asked.questions == [1]


def test_a_database_that_is_away_delays_what_wants_values(world: World, asked: Asked) -> None:
    """Nothing is parked or failed: the order goes out when the values can be had.

    Teeth: fails (StoreUnavailable ends the loop) without `Dispatcher._wait`.
    """
    world.submit(a_task("first"), a_task("second", "first", type="shell"))
    order = world.started()
    asked.away = True
    world.worker.result(order, outputs={"text": "x" * 2 * KIB})
    world.pass_time(3)
    assert world.worker.take() is None
    assert world.rig.master.lanes.parked == {}

    asked.away = False
    world.pass_time(1)

    assert world.taken().parameters["text"] == "x" * 2 * KIB


def test_a_run_whose_values_cannot_be_read_is_parked_alone(world: World, asked: Asked) -> None:
    """What was asked for together with it goes out; once its values can be read, it goes on too.

    Teeth: fails (ValueError ends the loop) without the second `except` of `Dispatcher._values`.
    """
    needs = [a_task("first"), a_task("second", "first", type="shell"), a_task("third", "first", type="shell")]
    asked.sick, healthy = world.submit(*needs, name="sick"), world.submit(*needs, name="healthy")
    world.settle()
    for order in take_all(world):
        world.worker.result(order, outputs={"text": "x" * 2 * KIB})
    world.settle()

    assert list(world.rig.master.lanes.parked) == [asked.sick]
    assert {(one.workflow_instance_id, one.task) for one in take_all(world)} == {
        (healthy, "second"),
        (healthy, "third"),
    }

    sick, asked.sick = asked.sick, None
    world.pass_time(5)

    assert world.rig.master.lanes.parked == {}
    assert {one.workflow_instance_id for one in take_all(world)} == {sick}


def test_small_outputs_stay(world: World, asked: Asked) -> None:
    """No question to the database for what fits into a row of memory."""
    world.submit(a_task("first"), a_task("second", "first", type="shell"))
    world.worker.result(world.started(), outputs={"text": "x" * 900})
    world.settle()

    assert world.instance.attempts["first"].outputs == {"text": "x" * 900}
    assert world.taken().parameters["text"] == "x" * 900
    assert asked.questions == []


def test_a_row_that_is_written_again_keeps_its_outputs(world: World) -> None:
    """A full-row update of an attempt whose outputs memory has let go of writes the values, never the names.

    Teeth: fails without `WholeRows` in `assemble`.
    """
    world.submit(a_task("first"), a_task("second", "first", delay_s=60.0))
    world.worker.result(world.started(), outputs=BIG)
    world.settle()
    instance = world.instance
    lean = replace(instance.attempts["first"], reason="looked at again")
    loop = world.rig.master.loop

    loop._outside.committer.commit(
        Changes(instances=(InstanceChange(head=instance.head, revision=instance.revision, changed=(lean,)),)),
        loop._leases,
    )

    row = world.attempt("first")
    assert (row.reason, row.outputs) == ("looked at again", BIG)


def test_without_that_care_the_write_is_refused(world: World) -> None:
    """The store cannot turn names without values into JSON."""
    world.submit(a_task("first"), a_task("second", "first", delay_s=60.0))
    world.worker.result(world.started(), outputs=BIG)
    world.settle()
    instance = world.instance
    change = InstanceChange(
        head=instance.head, revision=instance.revision, changed=(instance.attempts["first"],)
    )

    with pytest.raises(Exception, match="was not loaded"):
        world.rig.commit.commit(Changes(instances=(change,)), world.rig.master.loop._leases)

    assert world.attempt("first").outputs == BIG


def test_a_late_repeat_of_a_big_result_changes_nothing(world: World) -> None:
    """The event that was handled before its outputs left memory is still known."""
    world.submit(a_task("first"), a_task("second", "first", delay_s=60.0))
    world.worker.result(world.started(), outputs=BIG)
    world.settle()
    before = world.database()

    entry = world.say(world.attempt("first"), TaskResult, state="SUCCESS", outputs=BIG)
    world.settle()

    assert world.verdict(entry) == "ok"
    assert world.database() == before
    world.pass_time(61)
    assert world.finish() is WorkflowState.SUCCESS


def test_names_without_values_can_be_listed_and_not_read() -> None:
    """Reading one is a bug that shows at once, not an empty answer."""
    stored = StoredOutputs(BIG)

    assert list(stored) == ["text", "list", "n"]
    assert (len(stored), "n" in stored, "m" in stored, stored.get("m")) == (3, True, False, None)
    assert stored == StoredOutputs(reversed(list(BIG)))
    assert stored != BIG
    with pytest.raises(ValuesNotHere, match="'n'"):
        stored["n"]


def reachable_bytes(root: object) -> int:
    """Return the size of all that can be reached from `root`, code apart."""
    seen: dict[int, object] = {}
    waiting = [root]
    while waiting:
        one = waiting.pop()
        if id(one) not in seen and not isinstance(one, type | ModuleType | FunctionType):
            seen[id(one)] = one
            waiting.extend(gc.get_referents(one))
    return sum(sys.getsizeof(one) for one in seen.values())
