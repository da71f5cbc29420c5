"""Owns the reading of the facts about one run: from the database first, then from Redis if that answers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from orchestrator.broker.presence import DRAINING, NO_BROKER, WorkerBeat
from orchestrator.core.dag import compile_graph, select_tasks
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.core.draft import Draft
from orchestrator.core.instance import Head
from orchestrator.core.pool import is_without_slot
from orchestrator.core.run import WorkflowInstance
from orchestrator.core.status import TaskState
from orchestrator.core.transition import Context
from orchestrator.errors import BrokerUnavailable, DefinitionError, NotFound
from orchestrator.service.backend import Backend
from orchestrator.service.explaining.facts import Buried, Facts, Fleet, ParkedLane, Worker
from orchestrator.store.child_places import ChildPlace, read_children
from orchestrator.store.evidence import read_evidence
from orchestrator.store.instances import LoadedInstance
from orchestrator.store.pools import Line

MOST_HOLDERS = 20


def gather(backend: Backend, workflow_instance_id: int) -> Facts:
    """Return the facts about a run; a Redis that is away is one of them.

    Raises:
        NotFound: There is no such run.
        StoreUnavailable: The database is away.
    """
    loaded = backend.instances.load([workflow_instance_id], whole=[workflow_instance_id]).get(
        workflow_instance_id
    )
    if loaded is None:
        raise NotFound(f"there is no run {workflow_instance_id}; see orchestrator runs list")
    head, settings = loaded.head, backend.settings
    whole = backend.instances.definition(head.definition_id)
    evidence = read_evidence(backend.engine, head.id, head.slot, settings.lease_seconds)
    run = _rebuilt(loaded, whole, evidence.now)
    facts = Facts(
        run=run,
        outside=_outside(whole, run),
        evidence=evidence,
        failures=_failures(backend, run),
        lines=_lines(backend, run),
        children=_children(backend, run),
        dispatch_timeout_s=settings.dispatch_timeout_seconds,
    )
    try:
        return replace(facts, fleet=_fleet(backend, head))
    except BrokerUnavailable as error:
        return replace(facts, redis_fault=str(error))


def _rebuilt(loaded: LoadedInstance, whole: WorkflowDefinition, now: datetime) -> WorkflowInstance:
    """Return the run as its master has it in memory; of one that can never start, without its tasks."""
    head = loaded.head
    try:
        definition = select_tasks(whole, head.start_nodes, head.depends)
        graph = compile_graph(definition)
    except DefinitionError:
        definition = replace(whole, tasks=())
        graph = compile_graph(definition)
    run = WorkflowInstance(
        head=head,
        revision=loaded.revision,
        definition=definition,
        graph=graph,
        attempts=[one for one in loaded.attempts if one.task in graph.tasks],
        spent=loaded.spent,
    )
    draft = Draft(run, Context(now=now, jitter=0.0, new_ticket=str, live_workers=lambda _group: frozenset()))
    draft.rebuild()
    run.apply(draft.transition())
    return run


def _outside(whole: WorkflowDefinition, run: WorkflowInstance) -> dict[str, str]:
    """Return the tasks of the definition that the run does not have, with the reason."""
    head = run.head
    started = f"is no part of this run, which was started from {', '.join(head.start_nodes)} ({head.depends})"
    return {
        task.name: "is disabled: what needs it depends on its upstreams" if task.disabled else started
        for task in whole.tasks
        if task.name not in run.graph.tasks
    }


def _failures(backend: Backend, run: WorkflowInstance) -> dict[str, str]:
    """Return why the attempts failed whose retries wait."""
    waiting = (run.attempts[task] for task in run.in_state(TaskState.DELAYED, TaskState.PAUSED))
    keys = [(one.workflow_instance_id, one.task, one.attempt - 1) for one in waiting if one.failures]
    before = backend.instances.attempts(keys) if keys else {}
    return {one.task: one.reason for one in before.values() if one.reason}


def _lines(backend: Backend, run: WorkflowInstance) -> dict[str, Line]:
    """Return how the pools stand for the tasks that wait for a slot of one."""
    waiting = [
        (task, attempt)
        for name in run.in_state(TaskState.SUBMITTED)
        if is_without_slot(task := run.graph.tasks[name], attempt := run.attempts[name])
    ]
    return {
        task.name: backend.pools.line(attempt.key, task.pool or "", MOST_HOLDERS) for task, attempt in waiting
    }


def _children(backend: Backend, run: WorkflowInstance) -> dict[int, ChildPlace]:
    """Return how the runs stand that tasks wait for."""
    waiting = (run.attempts[task].child for task in run.in_state(TaskState.RUNNING))
    return read_children(backend.engine, [child for child in waiting if child is not None])


def _fleet(backend: Backend, head: Head) -> Fleet:
    now, beats = backend.presence.living()
    limit = timedelta(seconds=backend.settings.lost_seconds)
    masters = backend.masters.all()
    buried = (one for one in backend.dead_letters.list() if one.workflow_instance_id == head.id)
    return Fleet(
        workers=tuple(_worker(beat, seen, is_lost=now - seen > limit) for beat, seen in beats),
        parked=_parked(masters, head.id),
        overloaded=next((one["overloaded"] for one in masters if head.slot in one.get("slots", ())), None),
        waiting=_waiting(masters),
        buried=tuple(
            Buried(id=one.id, task=one.task, attempt=one.attempt, reason=one.reason, at=one.received_at)
            for one in buried
        ),
    )


def _worker(beat: WorkerBeat, seen: datetime, *, is_lost: bool) -> Worker:
    return Worker(
        name=beat.name,
        incarnation=beat.incarnation,
        groups=beat.groups,
        capacity=beat.capacity,
        running=beat.running,
        tasks=beat.tasks,
        is_draining=beat.state == DRAINING,
        is_cut_off=beat.state == NO_BROKER,
        seen=seen,
        is_lost=is_lost,
    )


def _parked(masters: Sequence[Mapping[str, Any]], number: int) -> ParkedLane | None:
    for master in masters:
        for one in master.get("parked", ()):
            if one["workflow_instance_id"] == number:
                since = datetime.fromisoformat(master["last_heartbeat"]) - timedelta(seconds=one["since_s"])
                return ParkedLane(error=one["error"], since=since, tries=one["tries"])
    return None


def _waiting(masters: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    waiting: dict[str, int] = {}
    for master in masters:
        for group, number in master.get("waiting", {}).items():
            waiting[group] = waiting.get(group, 0) + number
    return waiting
