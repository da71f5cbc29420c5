"""Owns what is worked out on the values that upstreams gave: branches of switches, children, maps."""

from collections.abc import Sequence

from orchestrator.authoring.expressions import Allowance, holds, parse
from orchestrator.core.elements import MAP
from orchestrator.core.logic import SUB_WORKFLOW
from orchestrator.core.notice import Judged, Notice, Unsubmittable, about
from orchestrator.core.surroundings import visible_scope
from orchestrator.errors import StoreUnavailable, UnresolvedParameter
from orchestrator.master.cut import Cut, Park
from orchestrator.master.desk import Desk
from orchestrator.master.effects import Effects
from orchestrator.master.items import NoticeItem
from orchestrator.master.nursery import Nursery
from orchestrator.master.respite import Respite
from orchestrator.master.spreader import Spreader
from orchestrator.master.supplies import Candidate, Supplies, Values

MOST = 100
"""So many are judged in one turn: expressions are limited, but not free."""

NO_CASE = "no case is true, and there is no default"


class Judge:
    """Runs in the loop's thread. A judgement goes to the loop as a notice, and counts once it is committed.

    Args:
        desk: Docket, inbox, clock.
        supplies: Where values come from.
        nursery: Makes children.
        spreader: Looks at the lists and the outputs of maps.
        effects: Puts an attempt on the docket again.
        park: Takes a run out of the way whose task cannot be judged because of a bug.
    """

    def __init__(
        self,
        desk: Desk,
        supplies: Supplies,
        nursery: Nursery,
        spreader: Spreader,
        effects: Effects,
        park: Park,
    ) -> None:
        self._desk = desk
        self._supplies = supplies
        self._nursery = nursery
        self._spreader = spreader
        self._effects = effects
        self._park = park
        self._respite = Respite(supplies.is_here, effects.enact, desk.clock.monotonic)

    def step(self) -> int:
        """Judge what waits; return how many there were."""
        if self._respite.lasts:
            return 0
        candidates = self._supplies.candidates(self._desk.docket.take("", MOST))
        if not candidates:
            return 0
        try:
            values = self._supplies.values(candidates)
            here = [one for one in candidates if self._supplies.is_here(one)]
            parents = [one for one in here if one.attempt.type == SUB_WORKFLOW]
            children = self._nursery.notices(parents, values, self._desk.clock.now())
        except StoreUnavailable as error:
            self._respite.begin(candidates, error)
            return 0
        self._desk.inbox.put_notices(children)
        for one in here:
            if one.attempt.type != SUB_WORKFLOW and self._supplies.is_here(one):
                self._judge(one, values)
        return len(candidates)

    def _judge(self, candidate: Candidate, values: Values) -> None:
        try:
            notice = self._notice(candidate, values)
        except Exception as error:  # noqa: BLE001  a bug in one run must not stop the others (R7)
            self._park(candidate.number, Cut(error, []))
            return
        self._desk.inbox.put_notices([NoticeItem(notice)])

    def _notice(self, candidate: Candidate, values: Values) -> Notice:
        if candidate.attempt.type == MAP:
            return self._spreader.notice(candidate, values)
        try:
            taken = self._taken(candidate, values)
        except UnresolvedParameter as error:
            return about(candidate.attempt, Unsubmittable, reason=str(error))
        if taken is None:
            return about(candidate.attempt, Unsubmittable, reason=NO_CASE)
        return about(candidate.attempt, Judged, taken=tuple(taken))

    def _taken(self, candidate: Candidate, values: Values) -> Sequence[str] | None:
        """Return the branch of the first case that is true, else the default; `None` if there is neither."""
        task = candidate.instance.graph.tasks[candidate.attempt.task]
        scope = visible_scope(task, self._supplies.surroundings(candidate, values))
        allowance = Allowance()  # the loop waits for all of them together
        for case in task.spec["cases"]:
            if holds(parse(case["when"]), scope, allowance):
                branch: Sequence[str] = case["then"]
                return branch
        return task.spec.get("default")
