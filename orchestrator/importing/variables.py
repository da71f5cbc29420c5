"""Owns what a program's text refers to: which variable stands for a parameter, a time or a built-in of before."""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.importing.findings import Reporter
from orchestrator.importing.naming import parameter_name
from orchestrator.importing.values import REFERENCE, SYSTEM, as_shown, time_fault, translate

_LIKE_TIME = re.compile(r"yy|MM|dd|HH|mm|ss|add_months|_day\(|year_week")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The parameters that a task can see.

    Attributes:
        names: Their names of before, to ours.
        values: What is known of their values, by the name of before.
        kinds: Their declared types, by the name of before.
    """

    names: Mapping[str, str]
    values: Mapping[str, Any]
    kinds: Mapping[str, str]

    def our_name(self, name: str) -> str:
        """Return our name of a parameter; one that nobody declares keeps its own."""
        return self.names.get(name, name)


@dataclass(slots=True, kw_only=True)
class Variables:
    """The variables of one program, and the `params` that they need.

    Attributes:
        known: What the task sees.
        report: Where to say what cannot be had.
        field: The field in which the program stands.
        own: The task's own parameters, by our names; its other `params` do not see them.
        assigned: Variables that the program sets itself: a parameter of that name needs another one.
        every: Whether each parameter has to stand in `params`, as in a Python script.
        params: What has been needed so far.
        unknown: What was referred to and nobody declares.
    """

    known: Known
    report: Reporter
    field: str
    own: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    assigned: frozenset[str] = frozenset()
    every: bool = False
    params: dict[str, Any] = dataclasses.field(default_factory=dict)
    unknown: set[str] = dataclasses.field(default_factory=set)

    def parameter(self, name: str) -> str | None:
        """Return the variable for `${name}`, or nothing if no parameter is called so."""
        if name in SYSTEM:
            return self._with(parameter_name(name), SYSTEM[name])
        if name not in self.known.names:
            if name.startswith("system."):
                self.report.gap(self.field, f"the built-in ${{{name}}} has no equivalent; take it out")
            self.unknown.add(name)
            return None
        ours = self.known.names[name]
        if ours in self.assigned:
            return self._with(f"given_{ours}", self._own_or_reference(ours))
        return self._with(ours, f"${{{ours}}}") if self.every else ours

    def time(self, body: str) -> str | None:
        """Return the variable for `$[body]`, nothing if it means no time or cannot be taken over (a gap)."""
        if not _LIKE_TIME.search(body):
            return None
        fault = time_fault(body)
        if fault is not None:
            self.report.gap(self.field, fault)
            return None
        words = re.sub(r"([+-])(?=\s*\d)", lambda sign: "_plus_" if sign[1] == "+" else "_minus_", body)
        words = re.sub(r"_+", "_", re.sub(r"\W", "_", words)).strip("_")
        return self._with(f"time_{words}"[:90], f"$[{body}]")

    def text(self, value: str) -> str:
        """Return the variable for a text, with names of before, that is resolved before the program gets it."""
        translated = translate(value, self.known.our_name)
        inlined = REFERENCE.sub(lambda match: as_shown(self._own_or_reference(match[1])), translated)
        return self._with("text", inlined)

    def _own_or_reference(self, ours: str) -> Any:
        """Return the value of an own parameter that has one, else the reference to what is given from outside."""
        value = self.own.get(ours)
        return f"${{{ours}}}" if value in (None, "") else value

    def _with(self, name: str, value: Any) -> str:
        number, free = 1, name
        while self.params.get(free, value) != value or (value != f"${{{free}}}" and self._is_taken(free)):
            number += 1
            free = f"{name}_{number}"
        self.params[free] = value
        return free

    def _is_taken(self, name: str) -> bool:
        return name in self.assigned or name in self.own or name in self.known.names.values()
