"""Owns the reference: what a run must come to, written from the semantics' text and from nothing of the product.

It is slow, recursive and obvious. Names of states and triggers are plain text here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from orchestrator.core.definition import WorkflowDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """What becomes of one try of a task.

    Attributes:
        state: SUCCESS, FAILURE or KILLED.
        deaths: How often its worker or its process dies before it gets that far: a new attempt each time.
        returned: How often each of these attempts comes back unstarted before it runs: a new dispatch each time.
    """

    state: str
    deaths: int = 0
    returned: int = 0


Script = Sequence[Try]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a run comes to.

    Attributes:
        states: Of the last attempt of each task that has one.
        attempts: How many attempts it has.
    """

    run: str
    states: Mapping[str, str]
    attempts: Mapping[str, int]


def expect(definition: WorkflowDefinition, scripts: Mapping[str, Script]) -> Expected:
    """Return what a run with `on_failure: continue` comes to.

    Args:
        definition: Its tasks.
        scripts: What becomes of the tries of each task.
    """
    tasks = {task.name: task for task in definition.tasks}

    def upstreams(name: str) -> Iterator[str]:
        """Yield what a task depends on; a disabled task is a wire."""
        for need in tasks[name].needs:
            if tasks[need].disabled:
                yield from upstreams(need)
            else:
                yield need

    @cache
    def outcome(name: str) -> str:
        decision = decide(tasks[name].trigger.value, [outcome(upstream) for upstream in upstreams(name)])
        return used(name)[-1].state if decision == "run" else decision

    def used(name: str) -> list[Try]:
        """Return the tries up to the one that decides: retries follow failures only, while any are left."""
        tries = list(scripts[name][: tasks[name].retries + 1])
        final = next((number for number, one in enumerate(tries) if one.state != "FAILURE"), len(tries) - 1)
        return tries[: final + 1]

    enabled = [name for name, task in tasks.items() if not task.disabled]
    states = {name: outcome(name) for name in enabled if outcome(name) != "NOT-RUN"}
    attempts = {
        name: 1 if state == "SKIPPED" else sum(1 + one.deaths for one in used(name))
        for name, state in states.items()
    }
    failed = {"FAILURE", "KILLED"} & set(states.values())
    return Expected(run="FAILURE" if failed else "SUCCESS", states=states, attempts=attempts)


def decide(trigger: str, upstreams: Sequence[str]) -> str:
    """Return `run`, `SKIPPED` or `NOT-RUN`, when all upstreams have ended as given (SEMANTICS 4)."""
    success = "SUCCESS" in upstreams
    bad = bool({"FAILURE", "KILLED", "NOT-RUN"} & set(upstreams))
    all_skipped = set(upstreams) == {"SKIPPED"}
    if not upstreams or trigger == "all_done":
        return "run"
    if trigger == "all_success" and success and not bad:
        return "run"
    if trigger == "none_failed":
        return "NOT-RUN" if bad else "run"
    if trigger == "one_success" and success:
        return "run"
    if trigger == "one_failed":
        return "run" if bad else "SKIPPED"
    return "SKIPPED" if all_skipped else "NOT-RUN"
