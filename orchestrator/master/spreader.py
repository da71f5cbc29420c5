"""Owns what a map asks of values: how many elements its list has, and what their outputs come to together."""

import json

from orchestrator.core.elements import gathers
from orchestrator.core.notice import Gathered, Notice, Spread, Unsubmittable, about
from orchestrator.core.outputs import gather
from orchestrator.core.parameters import MAX_INPUT_BYTES
from orchestrator.core.surroundings import elements_of
from orchestrator.errors import UnresolvedParameter
from orchestrator.master.supplies import Candidate, Supplies, Values

MOST_OUTPUT_BYTES = MAX_INPUT_BYTES
"""More than this no task behind a map could get."""


class Spreader:
    """Runs in the loop's thread.

    Args:
        supplies: Where values come from.
        most: So many elements a map may have.
    """

    def __init__(self, supplies: Supplies, most: int) -> None:
        self._supplies = supplies
        self._most = most

    def notice(self, candidate: Candidate, values: Values) -> Notice:
        """Return what becomes of a map: its elements begin, its outputs are there, or why not.

        Args:
            candidate: The group's attempt: submitted, or with all its elements ended in success.
            values: The outputs that its list, or the map itself, is made of.
        """
        return _gathered(candidate, values) if gathers(candidate.attempt) else self._spread(candidate, values)

    def _spread(self, candidate: Candidate, values: Values) -> Notice:
        task = candidate.instance.graph.tasks[candidate.attempt.task]
        try:
            total = len(elements_of(task, self._supplies.surroundings(candidate, values)))
        except UnresolvedParameter as error:
            return about(candidate.attempt, Unsubmittable, reason=str(error))
        if total > self._most:
            reason = f"map: the list has {total} elements, at most {self._most} (ORCHESTRATOR_MAP_LIMIT)"
            return about(candidate.attempt, Unsubmittable, reason=reason)
        nothing = gather((), task.spec["outputs"])
        return about(candidate.attempt, Spread, total=total, outputs=nothing if total == 0 else {})


def _gathered(candidate: Candidate, values: Values) -> Notice:
    outputs = gather([values[source.key] for source in candidate.sources])
    size = len(json.dumps(outputs, ensure_ascii=False).encode(errors="surrogatepass"))
    if size > MOST_OUTPUT_BYTES:
        fault = f"outputs of its elements: {size} bytes in all, at most {MOST_OUTPUT_BYTES}"
        return about(candidate.attempt, Gathered, fault=fault)
    return about(candidate.attempt, Gathered, outputs=outputs)
