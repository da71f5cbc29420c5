"""Pools: how they are sized and deleted, who is refused, what `explain` and the doctor say of them."""

from datetime import timedelta

import pytest

from orchestrator.authoring.load import load_text
from orchestrator.core.changes import Changes
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.core.pool import PoolPlace
from orchestrator.errors import Conflict, DefinitionError, NotFound, UserError
from orchestrator.service import definitions, pool_sizes, pools
from orchestrator.service.backend import Backend
from orchestrator.service.database_checks import _waits_too_long
from orchestrator.service.explaining.causes import Kind
from orchestrator.service.explaining.facts import Facts
from orchestrator.service.pool_checks import check_pools
from orchestrator.store.commit import GroupCommit
from orchestrator.store.leases import SlotLeases
from orchestrator.store.pools import Holder, Line, StoredPool
from tests.builders import a_task, an_attempt
from tests.unit.service.explained import ago, first, said, some_facts


def naming(*names: str) -> list[WorkflowDefinition]:
    """Return a workflow with a task for each of these pools."""
    tasks = ", ".join(f"{{name: t{at}, type: noop, pool: {name}}}" for at, name in enumerate(names))
    return load_text(f"workflow: {{name: w}}\ntasks: [{tasks}]")


def line_up(backend: Backend, *tasks: str) -> None:
    """Let tasks stand in the line of `few`, past everything else."""
    places = tuple(
        PoolPlace(
            pool="few",
            workflow_instance_id=1,
            task=task,
            attempt=1,
            workflow_rank=2,
            task_rank=2,
            since=ago(60),
            sequence=number,
            line_up=1,
        )
        for number, task in enumerate(tasks)
    )
    leases = SlotLeases(backend.engine).acquire("m", 60.0)
    GroupCommit(backend.engine).commit(Changes(lined_up=places), leases)


def test_unknown_pools_are_refused_when_a_workflow_goes_online(backend: Backend) -> None:
    """Each with its task, a guess and the command that makes it; offline it may be stored."""
    pool_sizes.set_slots(backend, "warehouse", 0)
    definitions.deploy(backend, naming("warehous", "none"), online=False)

    for go_online in (
        lambda: definitions.deploy(backend, naming("warehous", "none"), online=True),
        lambda: definitions.set_online(backend, "w", online=True),
    ):
        with pytest.raises(DefinitionError) as caught:
            go_online()
        near, far = caught.value.faults
        assert "'warehous' (did you mean 'warehouse'?)" in near.message
        assert (far.task, far.field) == ("t1", "pool")
        assert "orchestrator pools set none SLOTS" in far.message

    definitions.deploy(backend, naming("warehouse"), online=True)


@pytest.mark.parametrize(
    ("name", "slots", "message"),
    [("a b", 1, "cannot name a pool"), ("few", -1, "0 to 10000 slots, not -1"), ("few", 10_001, "not 10001")],
)
def test_what_can_be_no_pool_is_refused(backend: Backend, name: str, slots: int, message: str) -> None:
    """Nothing is stored."""
    with pytest.raises(UserError, match=message):
        pool_sizes.set_slots(backend, name, slots)
    assert pools.list_pools(backend) == []


def test_pools_are_listed_with_what_is_taken_and_who_waits(backend: Backend) -> None:
    """A pool that nobody has made and somebody waits for stands there, too."""
    line_up(backend, "a", "b", "c")
    assert pools.list_pools(backend) == [
        {"name": "few", "slots": None, "taken": 0, "waiting": 3, "repaired": 0}
    ]

    stored = pool_sizes.set_slots(backend, "few", 2)

    assert stored == {"name": "few", "slots": 2, "taken": 2, "waiting": 1, "repaired": 0}


def test_pool_that_may_be_wanted_is_not_deleted(backend: Backend) -> None:
    """An online workflow names it; somebody has a slot; there is none."""
    with pytest.raises(NotFound):
        pools.delete(backend, "few")
    pool_sizes.set_slots(backend, "few", 1)
    definitions.deploy(backend, naming("few"), online=True)
    with pytest.raises(Conflict, match=r"named by w, .*orchestrator definitions offline w"):
        pools.delete(backend, "few")
    definitions.set_online(backend, "w", online=False)
    line_up(backend, "a")
    with pytest.raises(Conflict, match="in use"):
        pools.delete(backend, "few")

    pool_sizes.set_slots(backend, "other", 1)

    assert pools.delete(backend, "other") == {"name": "other", "deleted": True}


# --- the doctor ------------------------------------------------------------------------------


def test_doctor_says_how_full_each_pool_is(backend: Backend) -> None:
    """And that nothing is wrong where nothing is."""
    assert [finding.message for finding in check_pools(backend)] == ["there is none"]
    pool_sizes.set_slots(backend, "few", 3)

    (finding,) = check_pools(backend)

    assert (finding.level, finding.message) == ("ok", "'few': 0 of 3 slots taken, 0 tasks wait")


def test_doctor_names_pools_that_give_out_nothing_and_rows_that_do_not_fit(backend: Backend) -> None:
    """A pool that nobody made, one without slots, and slots of attempts that do not exist."""
    line_up(backend, "a", "b")
    (missing, rows) = check_pools(backend)
    assert (missing.level, missing.remedy) == ("error", "make it with: orchestrator pools set few SLOTS")
    assert (rows.level, rows.message[:5]) == ("error", "'few'")
    pool_sizes.set_slots(backend, "few", 0)
    assert next(iter(check_pools(backend))).remedy == "orchestrator pools set few SLOTS"

    backend.pools.sweep("few", SlotLeases(backend.engine).acquire("m", 60.0))

    assert [(one.level, "2 rows were wrong" in one.message) for one in check_pools(backend)] == [
        ("ok", False),
        ("warning", True),
    ]


def test_task_that_waits_for_a_slot_is_not_stuck() -> None:
    """However long others have the slots."""
    task = {
        "current": True,
        "state": "SUBMITTED",
        "reason": "pool",
        "dispatched_at": None,
        "submitted_at": "2026-11-01T00:00:00Z",
    }

    assert not _waits_too_long(task, timedelta(seconds=1))
    assert _waits_too_long({**task, "reason": None}, timedelta(seconds=1))


# --- explain ---------------------------------------------------------------------------------


def waiting(line: Line | None) -> Facts:
    """Return the facts of a run whose task waits for a slot."""
    attempt = an_attempt("a", reason="pool", submitted_at=ago(50))
    return some_facts(a_task("a", pool="few"), attempts=[attempt], lines={"a": line} if line else {})


def test_explain_says_which_pool_is_full_and_who_has_it() -> None:
    """And how many stand before; waiting is right, so that there is no remedy."""
    holders = tuple(
        Holder(workflow_instance_id=number, task="load", attempt=1, since=ago(9)) for number in (7, 8)
    )
    pool = StoredPool(name="few", slots=2, taken=2, waiting=4)

    facts = waiting(Line(pool=pool, holders=holders, before=3))

    (sentence,) = said([first(facts, "a")])
    assert sentence == (
        "a pool: waits for a slot of pool 'few': 2 of 2 are taken, by load of run 7, load of run 8;"
        " 3 wait before it"
    )
    assert (first(facts, "a").since, first(facts, "a").remedy) == (ago(50), "")


@pytest.mark.parametrize(
    ("slots", "says"), [(0, ": 0 of 0 are taken"), (None, ", which does not exist")], ids=["none", "no pool"]
)
def test_explain_has_a_remedy_where_nobody_will_ever_be_served(slots: int | None, says: str) -> None:
    """A pool without slots, or none at all."""
    cause = first(waiting(Line(pool=StoredPool(name="few", slots=slots))), "a")

    assert cause.kind is Kind.POOL
    assert cause.detail == f"waits for a slot of pool 'few'{says}"
    assert cause.remedy == "orchestrator pools set few SLOTS"


def test_explain_of_a_task_that_came_into_the_line_meanwhile_says_less() -> None:
    """Between two looks at the database."""
    assert first(waiting(None), "a").detail == "waits for a slot of pool 'few'"
