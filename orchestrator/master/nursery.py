"""Owns the making of children: what a submitted sub_workflow task is to start, complete up to its id."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from orchestrator.core.child_parameters import child_parameters
from orchestrator.core.instance import Head
from orchestrator.core.notice import ChildReady, Notice, Unsubmittable, about
from orchestrator.core.status import WorkflowState
from orchestrator.errors import UnresolvedParameter
from orchestrator.master.cut import Cut, Park
from orchestrator.master.items import NoticeItem
from orchestrator.master.supplies import Candidate, Supplies, Values
from orchestrator.store.children import Callee


class ChildSource(Protocol):
    """What the database knows about workflows to be called, and whose children runs are."""

    def callees(self, names: Collection[str]) -> Mapping[str, Callee]:
        """Return the last version of each of these workflows that exists."""
        ...

    def ancestors(self, ids: Collection[int]) -> Mapping[int, Sequence[str]]:
        """Return the workflows that led to each of these runs, itself last."""
        ...

    def reserve(self, number: int) -> Sequence[int]:
        """Return ids that no other run will ever have."""
        ...

    def slots(self) -> int:
        """Return the number of slots."""
        ...


class Nursery:
    """Runs in the loop's thread. A child begins when the notice about it is committed, together with its task.

    Args:
        source: The database.
        supplies: Where values come from.
        park: Takes a run out of the way whose child cannot be made because of a bug.
    """

    def __init__(self, source: ChildSource, supplies: Supplies, park: Park) -> None:
        self._source = source
        self._supplies = supplies
        self._park = park

    def notices(self, candidates: Sequence[Candidate], values: Values, now: datetime) -> list[NoticeItem]:
        """Return, for each of these attempts, its child or why it can have none.

        Raises:
            StoreUnavailable: The database is away; nothing is lost but ids.
        """
        if not candidates:
            return []
        callees = self._source.callees({_workflow(one) for one in candidates})
        chains = self._source.ancestors({one.number for one in candidates})
        slots = self._source.slots()
        ids = self._source.reserve(len(candidates))
        notices = []
        for number, one in zip(ids, candidates, strict=True):
            try:
                callee = _called(_workflow(one), callees, chains[one.number])
                child = self._child(one, values, callee)
            except UnresolvedParameter as error:
                notice: Notice = about(one.attempt, Unsubmittable, reason=str(error))
            except Exception as error:  # noqa: BLE001  a bug in one run must not stop the others (R7)
                self._park(one.number, Cut(error, []))
                continue
            else:
                child = replace(child, id=number, slot=number % slots, submitted_at=now)
                notice = about(one.attempt, ChildReady, child=child)
            notices.append(NoticeItem(notice))
        return notices

    def _child(self, candidate: Candidate, values: Values, callee: Callee) -> Head:
        """Return the head of a child: what it does not say itself is its parent's."""
        task = candidate.instance.graph.tasks[candidate.attempt.task]
        around = self._supplies.surroundings(candidate, values)
        return replace(
            candidate.instance.head,
            definition_id=callee.definition_id,
            workflow=task.spec["workflow"],
            version=callee.version,
            state=WorkflowState.SUBMITTED,
            run_count=1,
            worker_group=candidate.group,
            params=child_parameters(task, around, callee.params),
            start_nodes=(),
            depends="downstream",
            started_at=None,
            ended_at=None,
            timeout_at=None,
            paused_at=None,
            timed_out=False,
            ending=False,
            has_turn=False,
            held=(),
            next_sequence=1,
            reason=None,
            parent_id=candidate.number,
            parent_task=task.name,
        )


def _workflow(candidate: Candidate) -> str:
    return str(candidate.instance.graph.tasks[candidate.attempt.task].spec["workflow"])


def _called(name: str, callees: Mapping[str, Callee], chain: Sequence[str]) -> Callee:
    """Return what is called.

    Raises:
        UnresolvedParameter: It does not exist, is offline, or is called by itself, however many are between.
    """
    callee = callees.get(name)
    if callee is None:
        raise UnresolvedParameter(f"there is no workflow '{name}': deploy it")
    if not callee.online:
        raise UnresolvedParameter(f"workflow '{name}' is offline; put it online first")
    if name in chain:
        ways = " -> ".join([*chain, name])
        raise UnresolvedParameter(f"workflow '{name}' calls itself: {ways}")
    return callee
