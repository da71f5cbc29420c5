"""Owns the question whether a recover went on with the same called run, as decision 44 says (C7)."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from sqlalchemy import RowMapping, select

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import OnFailure, Trigger
from orchestrator.store import schema
from orchestrator.store.session import reading
from tests.simulation.model_triggers import wired
from tests.simulation.plan import PlannedRun
from tests.simulation.workload_children import CALLS
from tests.simulation.workload_maps import map_of
from tests.simulation.world import World

EARLY = frozenset({Trigger.ONE_SUCCESS, Trigger.ONE_FAILED})
FAILED = frozenset({"FAILURE", "KILLED"})

Rows = Mapping[str, Sequence[RowMapping]]


def kept_faults(world: World) -> Iterator[str]:
    """Yield which task has another child since its run was recovered, although nothing before it ran again.

    Nothing is said of runs that were rerun, or that end at a failure, of tasks behind a trigger that decides early
    (what is before them may not have been decided), nor where the clock of the rows jumped.
    """
    if not world.plan.children or "database_clock_jumps" in world.ledger.faults:
        return
    columns = schema.task_instance.c
    with reading(world.engine) as connection:
        found = connection.execute(select(schema.task_instance).order_by(columns.attempt)).mappings().all()
    by_run: dict[int, dict[str, list[RowMapping]]] = defaultdict(lambda: defaultdict(list))
    for row in found:
        by_run[row["workflow_instance_id"]][row["task"]].append(row)
    for number, rows in by_run.items():
        run = world.planned[number]
        sent = (*world.sent.get(number, ()), *world.touches.sent.get(number, ()))
        if CommandKind.RERUN not in sent and run.definition.on_failure is OnFailure.CONTINUE:
            yield from _run_faults(run, rows)


def _run_faults(run: PlannedRun, rows: Rows) -> Iterator[str]:
    upstreams = wired(run.definition)
    tasks = {task.name: task for task in run.definition.tasks}
    for name, attempts in rows.items():
        before = _before(map_of(name), upstreams)
        if tasks[map_of(name)].type != CALLS or any(tasks[one].trigger in EARLY for one in before):
            continue
        for earlier, later in pairwise(attempts):
            if _is_recovered(earlier, later) and not _ran_again(before, rows, earlier, later):
                yield (
                    f"C7: {later['workflow_instance_id']}:{name} waited for run {earlier['child']}, "
                    f"and since a recover for run {later['child']}"
                )


def _before(task: str, upstreams: Mapping[str, Sequence[str]]) -> set[str]:
    """Return a task and all that stand before it."""
    found, left = {task}, [task]
    while left:
        new = [one for one in upstreams[left.pop()] if one not in found]
        found.update(new)
        left += new
    return found


def _is_recovered(earlier: RowMapping, later: RowMapping) -> bool:
    """Whether an attempt that failed with a child was followed, in a new beginning, by one with another child."""
    failed = earlier["state"] in FAILED and earlier["child"] is not None
    return failed and later["failures"] == 0 and later["child"] != earlier["child"]


def _ran_again(before: set[str], rows: Rows, earlier: RowMapping, later: RowMapping) -> bool:
    """Whether something before a task has a newer attempt than its earlier one: its run was not to be kept."""
    return any(
        earlier["ended_at"] <= row["submitted_at"] <= later["submitted_at"]
        for task in before
        if task != map_of(later["task"])
        for row in rows.get(task, ())
    )
