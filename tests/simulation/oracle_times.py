"""Owns the question whether executions kept to their times: delays of tasks, of retries and of deferrals."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy import select

from orchestrator.core.definition import TaskDefinition
from orchestrator.store import schema
from orchestrator.store.session import reading
from tests.simulation.ledger import AttemptKey, Execution
from tests.simulation.plan import PlannedRun, Script
from tests.simulation.workload_maps import map_of
from tests.simulation.world import World

NEAR_S = 0.25


def early_begins(world: World) -> Iterator[str]:
    """Yield which execution began before its time; where the clock jumped that decides, nothing can be said."""
    if "database_clock_jumps" in world.ledger.faults:
        return
    by_attempt: dict[AttemptKey, list[Execution]] = defaultdict(list)
    for one in world.ledger.executions:
        by_attempt[one.key].append(one)
    with reading(world.engine) as connection:
        found = connection.execute(select(schema.task_instance)).mappings().all()
    rows = {(row["workflow_instance_id"], row["task"], row["attempt"]): row for row in found}
    for key, executions in by_attempt.items():
        run = world.planned[key[0]]
        due_s = _due_s(world, key, rows, _task(run, key[1]))
        if executions[0].began_s < due_s - NEAR_S:
            yield f"O1: {executions[0].order_id} begins {due_s - executions[0].began_s:.2f} s before its time"
        yield from _deferral_faults(executions, run.scripts.get(key[1], Script()))


def _due_s(world: World, key: AttemptKey, rows: Mapping[AttemptKey, Any], task: TaskDefinition) -> float:
    """Return the simulated second before which an attempt must not begin."""
    row, before = rows.get(key), rows.get((key[0], key[1], key[2] - 1))
    begins_anew = row is not None and row["failures"] == 0  # by a recover or rerun, which waits for nothing
    if before is not None and before["state"] == "FAILURE" and not begins_anew:
        wait_s = task.retry_delay_s * task.retry_backoff ** int(before["failures"])
        cap_s = wait_s if task.max_retry_delay_s is None else task.max_retry_delay_s
        return world.schedule.seconds_at(before["ended_at"]) + min(wait_s, cap_s)
    if before is None and row is not None:
        return world.schedule.seconds_at(row["submitted_at"]) + task.delay_s
    return 0.0


def _deferral_faults(executions: Sequence[Execution], script: Script) -> Iterator[str]:
    for earlier, later in pairwise(executions):
        if earlier.how == "deferral" and earlier.ended_s is not None and not earlier.unheard:
            wait_s = later.began_s - earlier.ended_s
            if wait_s < script.defer_s - NEAR_S:
                yield f"O1: {later.order_id} begins {wait_s:.2f} s after a deferral of {script.defer_s} s"


def _task(run: PlannedRun, name: str) -> TaskDefinition:
    return next(task for task in run.definition.tasks if task.name == map_of(name))
