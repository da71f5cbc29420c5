"""Owns how people see a map with many elements: those that matter, and one line for all the others."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestrator.core.elements import group_of

MOST_SHOWN = 12
"""A map with more attempts of elements than this is shown in short."""

UNREMARKABLE = frozenset({"SUCCESS", "SUBMITTED"})


def in_short(tasks: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the attempts of a run, as `runs show` lists them, with the elements of big maps in short.

    Of these the first dozen that neither wait nor succeeded stay; the others become one row of its own.
    """
    counts = Counter(group_of(task["name"]) for task in tasks)
    big = {group for group, count in counts.items() if group is not None and count > MOST_SHOWN}
    elements: dict[str, list[Mapping[str, Any]]] = {group: [] for group in big}
    shown: list[Mapping[str, Any]] = []
    for task in tasks:
        group = group_of(task["name"])
        if group not in elements:
            shown.append(task)
        elif not elements[group]:
            elements[group].append(task)
            shown.append({"name": group, "elements": True})  # their place
        else:
            elements[group].append(task)
    return [
        row for one in shown for row in (_shortened(elements[one["name"]]) if "elements" in one else [one])
    ]


def _shortened(elements: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    shown: list[Mapping[str, Any]] = []
    counts: Counter[str] = Counter()
    name = ""
    for one in elements:
        name = one["name"]
        if one["state"] not in UNREMARKABLE and len(shown) < MOST_SHOWN:
            shown.append(one)
        else:
            counts[one["state"]] += 1
    others = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    rest = {"name": f"{group_of(name)}[…]", "type": "elements", "state": others}
    return [*shown, rest] if counts else shown
