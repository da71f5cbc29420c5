"""Owns what an import has to tell: what stops it, what has no equivalent and is left out; each with its place."""

from dataclasses import dataclass, field, replace

from orchestrator.errors import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding(Fault):
    """A fault or a loss, with its place.

    Attributes:
        workflow: Name of the workflow concerned, as the file has it: the UI's export has no lines.
    """

    workflow: str | None = None

    def __str__(self) -> str:
        """Render as `file:line: workflow 'w', task 'x', field 'y': message`."""
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        parts = (("workflow", self.workflow), ("task", self.task), ("field", self.field))
        named = ", ".join(f"{word} '{value}'" for word, value in parts if value)
        return ": ".join(part for part in (place, named, self.message) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was found so far, over all files; each once, in its order.

    Attributes:
        gaps: What cannot be converted: nothing is written.
        notes: What has no equivalent, or means something a little different: the import goes on.
    """

    gaps: dict[Finding, None] = field(default_factory=dict)
    notes: dict[Finding, None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporter:
    """Takes findings about one place."""

    findings: Findings
    place: Finding

    def within(
        self, *, workflow: str | None = None, task: str | None = None, line: int | None = None
    ) -> "Reporter":
        """Return a reporter for a place inside this one; what is not given stays as it is here."""
        place = replace(
            self.place,
            workflow=workflow or self.place.workflow,
            task=task or self.place.task,
            line=line or self.place.line,
        )
        return replace(self, place=place)

    def gap(self, field_name: str | None, message: str) -> None:
        """Note that something cannot be converted, which stops the import."""
        self._add(self.findings.gaps, field_name, message)

    def note(self, field_name: str | None, message: str) -> None:
        """Note that something has no equivalent, or not quite."""
        self._add(self.findings.notes, field_name, message)

    def _add(self, found: dict[Finding, None], field_name: str | None, message: str) -> None:
        found[replace(self.place, field=field_name, message=message)] = None


def reporter_for(findings: Findings, file: str) -> Reporter:
    """Return the reporter for a whole file."""
    return Reporter(findings=findings, place=Finding(message="", file=file))
