"""Owns the simulated world: one database, one Redis, masters, workers and people, built from a plan."""

import os
import random
import tempfile
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import redis

from orchestrator import crash
from orchestrator.broker.keys import Keys
from orchestrator.broker.sender import EventSender
from orchestrator.core.command import CommandKind
from orchestrator.core.definition import TaskDefinition
from orchestrator.core.status import WORKFLOW_FINAL, WorkflowState
from orchestrator.store.commands import Commands
from orchestrator.store.definitions import Definitions
from orchestrator.store.pools import Pools
from orchestrator.store.submissions import Submissions, SubmitRequest
from tests.simulation import oracle_claims
from tests.simulation.celery_broker import UNACKED
from tests.simulation.chronicle import Chronicle
from tests.simulation.database import SLOTS, Database, Spoiler
from tests.simulation.idle_looks import IdleLooks
from tests.simulation.kinship import ByRun, PlannedRuns
from tests.simulation.ledger import AttemptKey, Ledger
from tests.simulation.master import SimulatedMaster, Surroundings
from tests.simulation.model_words import Parent, Words
from tests.simulation.network import Cable, Signals, Weather
from tests.simulation.onlookers import Onlooker
from tests.simulation.plan import Plan, PlannedControl, PlannedResize, PlannedRun, PlannedWorker, Script
from tests.simulation.redis_client import connect
from tests.simulation.redis_server import SimulatedServer
from tests.simulation.schedule import Process, Schedule
from tests.simulation.signals import LOOK_EVERY_S, Approvers
from tests.simulation.story import Story
from tests.simulation.tasks import SimulatedTasks
from tests.simulation.touches import Reach, Touches
from tests.simulation.witness import Witness
from tests.simulation.worker import Child, SimulatedWorker, Site
from tests.simulation.workload_approvals import APPROVAL
from tests.simulation.workload_dependents import DEPENDENT
from tests.simulation.workload_maps import map_of

RESTORE_EVERY_S = 15.0
"""How often Celery restores messages that nobody holds any more; a real visibility timeout is longer."""


LOOK_S = 0.3
"""How often somebody who waits for the end of a run looks."""

IN_MEMORY = next((path for path in ("/dev/shm",) if os.access(path, os.W_OK)), None)  # noqa: S108  a place for all
"""Where spools are kept, if there is such a place: they are made and thrown away all the time."""


@dataclass(frozen=True, slots=True)
class Ambush:
    """A death that waits at a crash point.

    Attributes:
        victim: Who dies: the `child`, its `worker` or the `master`.
        hit: Called when it happens.
    """

    victim: str
    hit: Callable[[], None]


def _nothing() -> None:
    """Nobody looks."""


class World:
    """Everything there is in one simulation.

    Args:
        plan: What happens.
        database: The engine, shared by all simulations of this process.
        story: What is told of it.
    """

    def __init__(self, plan: Plan, database: Database, story: Story) -> None:
        self.plan = plan
        self.story = story
        self._dice = {
            name: random.Random(f"{plan.seed}:{name}")
            for name in ("order", "masters", "workers", "redis", "faults", "approvers")
        }
        self.schedule = Schedule(self._dice["order"], plan.pace_s)
        story.clock = self.schedule.monotonic
        story.speaker = self._who
        self.ledger = Ledger()
        self.weather = Weather()
        self.signals = Signals()
        self.keys = Keys("orchestrator:")
        self.database_away_until_s = 0.0
        self.database_jump_s = 0.0
        self.spoiler = Spoiler(
            away=lambda: self.schedule.now_s < self.database_away_until_s,
            master=self._master,
            in_loop=self._in_loop,
        )
        self.engine = database.engine
        self.database = database
        self._looks = IdleLooks(database)
        database.begin(lambda: self.schedule.wall(self.database_jump_s), self.spoiler)
        self.server = SimulatedServer(self.schedule.epoch_s, self._dice["redis"], keep_history=True)
        self._temporary = tempfile.TemporaryDirectory(prefix="simulation-", dir=IN_MEMORY)
        self.people = self._connect(Process("people"), "people", spoilt=False)
        self.planned = PlannedRuns(plan, database)
        self.scripts: Mapping[int, Mapping[str, Script]] = ByRun(lambda run: self.planned[run].scripts)
        self._definitions: Mapping[int, Mapping[str, TaskDefinition]] = ByRun(
            lambda run: {task.name: task for task in self.planned[run].definition.tasks}
        )
        self.runs: dict[int, int] = {}
        self.again_left = sum(control.kind in {"recover", "rerun"} for control in plan.controls)
        self.sent: dict[int, list[CommandKind]] = {}
        self.words = Words(self.planned, self._parent_of)
        self.chronicle = Chronicle(database)
        self.touches = Touches(
            Reach(
                schedule=self.schedule,
                database=database,
                commands=Commands(self.engine),
                planned=self.planned,
                ledger=self.ledger,
                runs=self.runs,
                sent=self.sent,
                woken=self._wake,
                story=story,
            )
        )
        witness = Witness(
            database, self.ledger, self._definitions, self.sent, self.words.of, self.touches.let_go
        )
        self.tasks = SimulatedTasks(
            self.schedule, self.ledger, self.scripts, witness.failures, witness.look, story
        )
        self.approvers = Approvers(database, Commands(self.engine), self._dice["approvers"], self._wake)
        self._types = {
            task.type for run in (*plan.runs, *plan.children.values()) for task in run.definition.tasks
        }
        self.has_approvals = self.has(APPROVAL)
        self.has_checks = any(
            task.check is not None
            for run in (*plan.runs, *plan.children.values())
            for task in run.definition.tasks
        )
        self.onlooker = Onlooker(database, self.spec_of)
        self.masters: list[SimulatedMaster] = []
        self.workers = [self._worker(one) for one in plan.workers]
        self.weather.at_claim = oracle_claims.watch(self.server, self.keys, self.tasks.wrong)
        self.tasks.kill_own_process = self._kill_own_process
        self.armed: dict[str, deque[Ambush]] = {}
        self.at_point: Callable[[str], None] = lambda _name: None
        crash.observe(self._at_crash_point)

    def close(self) -> None:
        """Give everything back."""
        crash.observe(None)
        self.schedule.close()
        self.database.end()
        self._temporary.cleanup()

    def has(self, task_type: str) -> bool:
        """Return whether any task of the plan is of this type."""
        return task_type in self._types

    def task_of(self, run: int, task: str) -> TaskDefinition:
        """Return the definition of a task, of an element that of its map."""
        return self._definitions[run][map_of(task)]

    def spec_of(self, run: int, task: str) -> Mapping[str, Any]:
        """Return the fields of a task's own type."""
        return self._definitions[run][map_of(task)].spec

    def chance(self) -> random.Random:
        """Return the dice of the faults."""
        return self._dice["faults"]

    # --- beginning ---------------------------------------------------------------------------

    def begin(self) -> None:
        """Start everybody, and put runs and controls into the calendar."""
        self.start_master()
        self.schedule.at(RESTORE_EVERY_S, self._restore)
        for worker in self.workers:
            worker.start()
        for child in self.plan.children.values():
            Definitions(self.engine).deploy(child.definition, online=True)
        for position, run in enumerate(self.plan.runs):
            self.schedule.at(run.submit_at_s, partial(self._submit, position, run))
        if self.has_approvals:
            self._look_for_approvals()
        for name, slots in self.plan.pools.items():
            Pools(self.engine).set(name, slots)
        for resize in self.plan.resizes:
            self.schedule.at(resize.at_s, partial(self._resize, resize))
        for control in self.plan.controls:
            self.schedule.at(control.at_s, partial(self._control, control))
        self.touches.begin(self.plan.touches)

    def start_master(self) -> SimulatedMaster:
        """Start another master process."""
        master = SimulatedMaster(
            f"master-{len(self.masters) + 1}",
            Surroundings(
                schedule=self.schedule,
                engine=self.engine,
                looks=self._looks,
                connect=self._connect,
                news=self.signals.stream,
                chance=self._dice["masters"],
                keys=self.keys,
                lag_s=self.plan.lag_s,
                looked=self.onlooker.look if self.has(DEPENDENT) else _nothing,
            ),
        )
        self.masters.append(master)
        master.start()
        return master

    # --- people ------------------------------------------------------------------------------

    def _submit(self, position: int, run: PlannedRun) -> None:
        deployed = Definitions(self.engine).deploy(run.definition, online=True)
        request = SubmitRequest(definition_id=deployed.id, params={}, planned_time=run.planned_time)
        submitted = Submissions(self.engine).submit(request)
        self.runs[position] = submitted.id
        self.planned.submitted(submitted.id, run)
        self.story.tell("people", f"submit {run.definition.name}: run {submitted.id}")
        self._wake(submitted.slot)

    def _resize(self, resize: PlannedResize) -> None:
        _, mailed = Pools(self.engine).set(resize.pool, resize.slots)
        self.story.tell("people", f"give pool {resize.pool} {resize.slots} slots")
        for slot in {run % SLOTS for run in mailed}:
            self._wake(slot)

    def _look_for_approvals(self) -> None:
        self.approvers.look()
        self.schedule.at(self.schedule.now_s + LOOK_EVERY_S, self._look_for_approvals)

    def most_slots(self, pool: str, at_s: float) -> int:
        """Return how many slots a pool has had at most up to some simulated second."""
        sizes = [one.slots for one in self.plan.resizes if one.pool == pool and one.at_s <= at_s]
        return max([self.plan.pools[pool], *sizes])

    def pool_of(self, key: AttemptKey) -> str | None:
        """Return the pool that an attempt needs a slot of; an element's is that of its map."""
        return self._definitions[key[0]][key[1].partition("[")[0]].pool

    def _control(self, control: PlannedControl) -> None:
        if control.kind in {"recover", "rerun"}:
            self._again(control)
            return
        if control.kind in {"hold", "release"}:
            self._hold(control)
            return
        run = self.runs.get(control.run)
        if run is None or self.state(run) in {WorkflowState.SUCCESS, WorkflowState.FAILURE}:
            return
        kind = CommandKind[control.kind.upper()]
        sent = Commands(self.engine).send(run, kind)
        self.sent.setdefault(run, []).append(kind)
        self.story.tell("people", f"{control.kind} run {run}")
        self._wake(sent.slot)

    def _hold(self, control: PlannedControl) -> None:
        """Pause or resume one task; a release is sent in any case, so that nothing is held for ever."""
        run = self.runs.get(control.run)
        if run is not None:
            kind = CommandKind.PAUSE if control.kind == "hold" else CommandKind.RESUME
            self.story.tell("people", f"{control.kind} {control.task} of run {run}")
            self._wake(Commands(self.engine).send(run, kind, {"task": control.task}).slot)

    def _again(self, control: PlannedControl) -> None:
        """Send a recover or rerun twice, whatever the run is doing; if it has not ended, once more when it has."""
        run = self.runs.get(control.run)
        if run is not None:
            body = {"run_count": self.run_count(run), **({"from": control.task} if control.task else {})}
            kind = CommandKind[control.kind.upper()]
            self.sent.setdefault(run, []).append(kind)
            self.story.tell("people", f"{control.kind} run {run} {control.task}")
            for _ in range(2):
                slot = Commands(self.engine).send(run, kind, body).slot
            self._wake(slot)
        if run is not None and self.state(run) in WORKFLOW_FINAL:
            self.again_left -= 1
        else:
            self._wait_for_end(control)

    def _wait_for_end(self, control: PlannedControl) -> None:
        run = self.runs.get(control.run)
        ended = run is not None and self.state(run) in WORKFLOW_FINAL
        what = self._again if ended else self._wait_for_end
        self.schedule.at(self.schedule.now_s + LOOK_S, partial(what, control))

    def _parent_of(self, run: int) -> Parent:
        query = "SELECT parent_id, parent_task FROM workflow_instance WHERE id = ? AND parent_id IS NOT NULL"
        return next(iter(self.database.rows(query, run)), None)

    def run_count(self, run: int) -> int:
        """Return how often a run has begun, as the database has it."""
        return self.database.number("SELECT run_count FROM workflow_instance WHERE id = ?", run)

    def _wake(self, slot: int) -> None:
        if self.schedule.now_s >= self.weather.away_until_s:
            EventSender(self.people, self.keys).wake(slot)

    def state(self, run: int) -> WorkflowState:
        """Return the state of a run as the database has it."""
        return WorkflowState(self.database.value("SELECT state FROM workflow_instance WHERE id = ?", run))

    def timeout_s(self, run: int, task: str) -> float | None:
        """Return a task's timeout in seconds, if it has one."""
        return self._definitions[run][map_of(task)].timeout_s

    def queue_timeout_s(self, run: int, task: str) -> float | None:
        """Return a task's queue timeout in seconds, if it has one."""
        return self._definitions[run][map_of(task)].queue_timeout_s

    # --- inside ------------------------------------------------------------------------------

    def _connect(self, process: Process, who: str, *, spoilt: bool = True) -> redis.Redis:
        cable = Cable(self.schedule, process, self.weather, self.signals, self.story, spoilt=spoilt)
        return connect(self.server, cable, who)

    def _worker(self, plan: PlannedWorker) -> SimulatedWorker:
        site = Site(
            schedule=self.schedule,
            connect=self._connect,
            arrival=self.signals.of,
            tasks=self.tasks,
            chance=self._dice["workers"].random,
            directory=Path(self._temporary.name),
            keys=self.keys,
            proving=self.database.proving,
        )
        return SimulatedWorker(plan, site)

    def _restore(self, before: frozenset[bytes] = frozenset()) -> None:
        """Put back what was unacknowledged the last time too, and that no living process has."""
        held = {child.tag for worker in self.workers for child in worker.children}
        (pairs,) = self.server.execute([("HGETALL", UNACKED)])
        left = {
            tag: raw for tag, raw in zip(pairs[::2], pairs[1::2], strict=True) if tag.decode() not in held
        }
        for tag in sorted(left.keys() & before):
            queue, _, message = left[tag].partition(b"\n")
            self.server.execute([("HDEL", UNACKED, tag), ("RPUSH", queue, message)])
            self.schedule.notify(self.signals.of(queue))
        self.schedule.at(self.schedule.now_s + RESTORE_EVERY_S, partial(self._restore, frozenset(left)))

    def child_of(self, process: Process) -> tuple[SimulatedWorker, Child] | None:
        """Return the worker's child that a process is."""
        for worker in self.workers:
            for child in worker.children:
                if child.process is process:
                    return worker, child
        return None

    def _kill_own_process(self, process: Process) -> None:
        found = self.child_of(process)
        if found is not None:
            found[0].kill_child(found[1])

    def _in_loop(self) -> bool:
        return self.schedule.current is not None and self.schedule.current.name.endswith("/loop")

    def _at_crash_point(self, name: str) -> None:
        thread = self.schedule.current
        if thread is None:
            return
        self.at_point(name)
        if name == "worker.after_spool":
            self.tasks.reported(thread.process)
        if self.armed.get(name) and self._is_meant(name, thread.process):
            ambush = self.armed[name].popleft()
            ambush.hit()
            self.story.tell(thread.process.name, f"dies at {name}")
            self._end(thread.process, ambush.victim)

    def _is_meant(self, point: str, process: Process) -> bool:
        """Whether a death that waits at a point is meant for this process, and for what it does there."""
        if point.startswith("worker."):
            return self.child_of(process) is not None
        if point.startswith("store."):
            about_runs = self.spoiler.writes_runs or point == "store.before_flush"
            return self._master() is not None and self._in_loop() and about_runs
        return self._master() is not None

    def _end(self, process: Process, victim: str) -> None:
        found = self.child_of(process)
        if found is not None:
            self.kill_worker(found[0]) if victim == "worker" else found[0].kill_child(found[1])
            return
        for master in self.masters:
            if master.process is process:
                self.kill_master(master)

    def kill_master(self, master: SimulatedMaster, back_after_s: float = 1.0) -> None:
        """Kill a master; another one is started a while later."""
        self.schedule.at(self.schedule.now_s + back_after_s, self._keep_a_master)
        self.schedule.kill(master.process)

    def kill_worker(self, worker: SimulatedWorker, back_after_s: float = 1.0) -> None:
        """Kill a worker; it is started again under its name a while later."""
        self.schedule.at(self.schedule.now_s + back_after_s, worker.start)
        if worker.alive and worker.spool is not None:
            self.tasks.silenced(worker.plan.name, worker.spool.claimed())
        worker.kill()

    def _keep_a_master(self) -> None:
        if not any(master.process.alive and not master.process.frozen for master in self.masters):
            self.start_master()

    def _who(self) -> str:
        thread = self.schedule.current
        return thread.name if thread is not None else ""

    def _master(self) -> str | None:
        thread = self.schedule.current
        is_one = thread is not None and thread.process.name.startswith("master-")
        return thread.process.name if thread is not None and is_one else None
