"""Owns the passing on of ends: what the end of a task means for the counters of those behind it in the graph."""

from collections import deque
from typing import Protocol

from orchestrator.core import maps
from orchestrator.core.branches import edge_outcome
from orchestrator.core.dag import Graph
from orchestrator.core.node import OUTCOMES, Decision, Outcome
from orchestrator.core.run import decide_node


class Sheet(maps.Sheet, Protocol):
    """What a draft shows of a run, and lets be changed."""

    @property
    def graph(self) -> Graph:
        """The compiled graph."""
        ...


def settle(sheet: Sheet, task: str, outcome: Outcome) -> None:
    """Note how `task` ended and pass it on, through everything that is thereby not run; iterative."""
    graph, ended = sheet.graph, deque([(task, outcome)])
    while ended:
        name, how = ended.popleft()
        node = sheet.set_node(name, sheet.node(name)._replace(outcome=how, owed=False, elements=None))
        attempt = sheet.attempt(name)
        started = node.started or attempt is not None
        taken = attempt.taken if attempt is not None else None
        for downstream in graph.downstream[name]:
            seen = edge_outcome(graph.gates, name, downstream, how, taken)
            sheet.set_node(downstream, sheet.node(downstream).with_upstream(seen, started=started))
            if _consider(sheet, downstream) is Decision.NOT_RUN:
                ended.append((downstream, Outcome.NOT_RUN))


def rebuild(sheet: Sheet) -> None:
    """Derive every counter, and what is owed, from the attempts; those that there are say nothing yet."""
    for group in sheet.graph.mapped:
        maps.count_all(sheet, group)
    for task in sheet.graph.order:
        attempt = sheet.attempt(task)
        if attempt is not None and attempt.state in OUTCOMES:
            settle(sheet, task, OUTCOMES[attempt.state])
        elif _consider(sheet, task) is Decision.NOT_RUN and sheet.node(task).outcome is None:
            settle(sheet, task, Outcome.NOT_RUN)


def _consider(sheet: Sheet, task: str) -> Decision:
    """Mark a node as owed when its trigger has just decided; return the decision if it is still open."""
    node = sheet.node(task)
    if node.outcome is not None or node.owed or sheet.attempt(task) is not None:
        return Decision.WAIT
    decision = decide_node(sheet.head, sheet.definition(task), node)
    if decision in (Decision.RUN, Decision.SKIP):
        sheet.set_node(task, node._replace(owed=True))
    return decision
