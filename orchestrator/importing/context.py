"""Owns what the converters of tasks share: names on both sides, what a task sees, where findings go."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.importing.findings import Reporter
from orchestrator.importing.source import SourceTask
from orchestrator.importing.variables import Known, Variables


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Names and codes of before to our names.

    Attributes:
        tasks: Of this workflow's tasks.
        workflows: Of all workflows of the import, and of those that the user named.
        foreign_tasks: Of the tasks of all workflows of the import.
        returned: What workflows of the import give to their parents, with its type.
    """

    tasks: Mapping[str, str]
    workflows: Mapping[str, str]
    foreign_tasks: Mapping[str, str] = field(default_factory=dict)
    returned: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One task on its way; `own` holds its own parameters as our language writes them, by our names."""

    task: SourceTask
    names: Names
    known: Known
    own: Mapping[str, Any] = field(default_factory=dict)

    @property
    def report(self) -> Reporter:
        """Where findings about the task go."""
        return self.task.report

    def variables(
        self, field_name: str, *, assigned: frozenset[str] = frozenset(), every: bool = False
    ) -> Variables:
        """Return the variables of a program that stands in `field_name`."""
        return Variables(
            known=self.known,
            report=self.report,
            field=field_name,
            own=self.own,
            assigned=assigned,
            every=every,
        )


@dataclass(slots=True, kw_only=True)
class Converted:
    """What the type of a task comes to.

    Attributes:
        values: `type` and the fields of the type.
        params: What the type needs besides the task's own parameters.
        needs: Upstreams, by our names, besides those that the graph has.
        branches: Tasks, by our names, that must need this one.
        before: Whole tasks to stand before this one.
        outputs: What it declares to give.
    """

    values: dict[str, Any]
    params: dict[str, Any] = field(default_factory=dict)
    needs: list[str] = field(default_factory=list)
    branches: list[str] = field(default_factory=list)
    before: list[dict[str, Any]] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
