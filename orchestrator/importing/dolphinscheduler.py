"""Owns the import of DolphinScheduler's workflows: files in, texts of our language and findings out."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator.authoring.document import MAX_TEXT_BYTES, read_documents
from orchestrator.authoring.load import load_text
from orchestrator.errors import DefinitionError
from orchestrator.importing import naming
from orchestrator.importing.context import Names
from orchestrator.importing.exported_json import codes_of, read_export
from orchestrator.importing.findings import Finding, Findings, Reporter, reporter_for
from orchestrator.importing.rendering import render
from orchestrator.importing.sdk_tokens import WORKFLOW, Outside, workflow_files
from orchestrator.importing.sdk_yaml import read_sdk
from orchestrator.importing.source import SourceWorkflow
from orchestrator.importing.workflows import convert_workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedWorkflow:
    """One workflow in our language; `text` has been read back by the loader without a fault."""

    name: str
    source: str
    tasks: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import gives.

    Attributes:
        workflows: In the order of the files; none if there are gaps.
        notes: What has no equivalent and was left out, or means a little less than before.
        gaps: What cannot be converted.
    """

    workflows: tuple[ImportedWorkflow, ...]
    notes: tuple[Finding, ...]
    gaps: tuple[Finding, ...]


def import_files(
    paths: Sequence[Path],
    *,
    environment: Mapping[str, str],
    workflow_names: Mapping[str, str] | None = None,
) -> Imported:
    """Return the workflows of files, YAML of the Python SDK or JSON of the UI, in our language.

    Files that they name by `$WORKFLOW{"…"}` are imported with them.

    Args:
        paths: The files.
        environment: What `$ENV{…}` sees.
        workflow_names: Names of workflows that are not in the files, by their codes.
    """
    findings = Findings()
    reading = _Reading(findings=findings, environment=environment)
    for path in paths:
        reading.read(path)
    workflows = reading.workflows
    names = _workflow_names(workflows, workflow_names or {})
    tasks = {
        code: name for one in workflows for code, name in _task_names(one).items() if code in one.aliases
    }
    _report_repeated(workflows)
    returned = {out.name: out.kind for one in workflows for out in one.params if out.direction == "OUT"}
    shared = Names(tasks={}, workflows=names, foreign_tasks=tasks, returned=returned)
    found = [_converted(one, replace(shared, tasks=_task_names(one))) for one in workflows]
    return Imported(
        workflows=() if findings.gaps else tuple(one for one in found if one is not None),
        notes=tuple(findings.notes),
        gaps=tuple(findings.gaps),
    )


@dataclass(slots=True, kw_only=True)
class _Reading:
    """Reads files, and those that they name; each once."""

    findings: Findings
    environment: Mapping[str, str]
    workflows: list[SourceWorkflow] = field(default_factory=list)
    names: dict[Path, str] = field(default_factory=dict)

    def read(self, path: Path) -> str:
        """Read a file unless that was done before; return the name of its first workflow."""
        resolved = path.resolve()
        if resolved in self.names:
            return self.names[resolved]
        report = reporter_for(self.findings, str(path))
        self.names[resolved] = ""
        text = _content(path, report)
        if text is None:
            return ""
        if _is_json(path, text):
            self._add(resolved, read_export(text, report))
        else:
            self._read_yaml(path, text, report)
        return self.names[resolved]

    def _read_yaml(self, path: Path, text: str, report: Reporter) -> None:
        outside = Outside(folder=path.parent, environment=self.environment)
        own = _name_in(text)
        self.names[path.resolve()] = own
        for token, file in list(workflow_files(text, outside)):
            name = self.read(file)
            if not name:
                report.gap(None, f"{token}: {file} gives no name of a workflow")
            text = text.replace(token, name)
        self._add(path.resolve(), read_sdk(text, outside, report))

    def _add(self, path: Path, found: list[SourceWorkflow]) -> None:
        self.workflows.extend(found)
        self.names[path] = found[0].name if found else ""


def _content(path: Path, report: Reporter) -> str | None:
    try:
        if path.stat().st_size > MAX_TEXT_BYTES:
            report.gap(None, f"larger than {MAX_TEXT_BYTES} bytes")
            return None
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        report.gap(None, f"cannot be read: {error.strerror}")
    except ValueError:
        report.gap(None, "is not UTF-8 text")
    return None


def _is_json(path: Path, text: str) -> bool:
    return path.suffix.lower() == ".json" or text.lstrip()[:1] in ("[", "{")


def _name_in(text: str) -> str:
    """Return the name of the first workflow of a YAML text without reading what it draws in."""
    try:
        plain_text = WORKFLOW.sub("name", text)  # without a name in its place a token may be no YAML
        first = next((one for one in read_documents(plain_text) if isinstance(one, dict)), {})
    except DefinitionError:
        return ""
    workflow = first.get("workflow")
    name = workflow.get("name") if isinstance(workflow, dict) else None
    return name if isinstance(name, str) else ""


def _workflow_names(workflows: Sequence[SourceWorkflow], given: Mapping[str, str]) -> dict[str, str]:
    ours = naming.unique((one.name for one in workflows), naming.workflow_name)
    return {**given, **{code: ours[name] for code, name in codes_of(workflows).items()}, **ours}


def _task_names(workflow: SourceWorkflow) -> dict[str, str]:
    ours = naming.unique((task.name for task in workflow.tasks), naming.task_name)
    return {**{code: ours[name] for code, name in workflow.aliases.items()}, **ours}


def _report_repeated(workflows: Iterable[SourceWorkflow]) -> None:
    workflows = list(workflows)
    counts = Counter(one.name for one in workflows)
    for workflow in workflows:
        if counts[workflow.name] > 1:
            workflow.report.gap(
                "name", f"{counts[workflow.name]} workflows of this import are called so; rename one"
            )
        for name, count in Counter(task.name for task in workflow.tasks).items():
            if count > 1:
                workflow.report.within(task=name).gap("name", f"{count} tasks are called so; rename one")


def _converted(workflow: SourceWorkflow, names: Names) -> ImportedWorkflow | None:
    """Return a workflow in our language, or nothing if a gap was reported."""
    report = workflow.report
    before = len(report.findings.gaps)
    document = json.loads(json.dumps(convert_workflow(workflow, names)))
    if len(report.findings.gaps) > before:
        return None
    source = report.place.file or ""
    try:
        text = render(document, Path(source).name)
        load_text(text, source)
    except ValueError as error:
        report.gap(None, str(error))
        return None
    except DefinitionError as error:
        _report_faults(workflow, names, error)
        return None
    return ImportedWorkflow(
        name=document["workflow"]["name"], source=source, tasks=len(document["tasks"]), text=text
    )


def _report_faults(workflow: SourceWorkflow, names: Names, error: DefinitionError) -> None:
    """Say what the loader found, with the names and lines of the file that the user knows."""
    by_name: dict[str, Any] = {names.tasks[task.name]: task for task in workflow.tasks}
    for fault in error.faults:
        task = by_name.get(fault.task or "")
        place = task.report.place if task is not None else workflow.report.place
        named = replace(place, task=place.task or fault.task, field=fault.field, message=fault.message)
        workflow.report.findings.gaps[named] = None
