"""Owns loading definitions: from YAML text, from files, from Python; every fault of a file at once."""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from orchestrator.authoring import names
from orchestrator.authoring.build import Draft, build, located
from orchestrator.authoring.calls import called_by, cycle_fault
from orchestrator.authoring.checks import check, size_faults
from orchestrator.authoring.document import (
    MAX_TEXT_BYTES,
    control_characters,
    read_documents,
    without_control_characters,
)
from orchestrator.authoring.pyfile import fault_of, workflows_in
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.errors import DefinitionError, Fault


class DrawnWorkflow(Protocol):
    """A workflow written in Python."""

    @property
    def file(self) -> Path:
        """The file that it was written in."""
        ...

    @property
    def called(self) -> Sequence["DrawnWorkflow"]:
        """The workflows that it calls, known once `document` was asked for."""
        ...

    def document(self) -> Mapping[str, Any]:
        """Return it as the YAML language would write it, with `lines`."""
        ...


def load_file(path: str | Path) -> list[WorkflowDefinition]:
    """Return the definitions in a file: YAML, or Python (`.py`) with `@workflow` functions.

    Raises:
        DefinitionError: The file cannot be read, holds no workflow, or has faults; all of them are listed.
    """
    return _checked(_drafts(path), str(path))


def locate(faults: Iterable[Fault], paths: Iterable[str | Path]) -> list[Fault]:
    """Return faults that were found in definitions with file and line, where these files have them.

    Args:
        faults: With `workflow`; what has a line stays as it is.
        paths: Files that could be loaded.
    """
    drafts = {draft.workflow.name: draft for path in paths for draft in _drafts(path) if draft.workflow}
    return [
        _placed(fault, drafts[fault.workflow])
        if fault.line is None and fault.workflow is not None and fault.workflow in drafts
        else fault
        for fault in faults
    ]


def _drafts(path: str | Path) -> list[Draft]:
    file = Path(path)
    if file.suffix == ".py":
        return list(_drawn_with_called(workflows_in(file), str(path)))
    return _written(_read(file), str(path), str(file.resolve().parent))


def load_text(
    text: str, file: str | None = None, *, source_dir: str | None = None
) -> list[WorkflowDefinition]:
    """Return the definitions in a YAML text of one or several documents.

    Args:
        text: The YAML text.
        file: Name for messages.
        source_dir: Directory that the definitions belong to (`cwd` is relative to it).

    Raises:
        DefinitionError: It has faults; all of them are listed.
    """
    return _checked(_written(text, file, source_dir), file)


def load_workflow(workflow: DrawnWorkflow) -> WorkflowDefinition:
    """Return the definition of a workflow written in Python.

    Raises:
        DefinitionError: It has faults; all of them are listed.
    """
    file = str(workflow.file)
    return _checked(_drawn(workflow, file), file)[0]


def load_with_called(workflow: DrawnWorkflow) -> list[WorkflowDefinition]:
    """Return the definition of a workflow written in Python, and behind it those of all that it calls.

    Raises:
        DefinitionError: They have faults; all of them are listed.
    """
    file = str(workflow.file)
    return _checked(list(_drawn_with_called([workflow], file)), file)


def _read(file: Path) -> str:
    try:
        if file.stat().st_size > MAX_TEXT_BYTES:
            raise DefinitionError([Fault(message=f"larger than {MAX_TEXT_BYTES} bytes", file=str(file))])
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise DefinitionError([Fault(message=f"cannot be read: {error.strerror}", file=str(file))]) from None
    except UnicodeDecodeError:
        raise DefinitionError([Fault(message="is not UTF-8 text", file=str(file))]) from None


def _written(text: str, file: str | None, source_dir: str | None) -> list[Draft]:
    faults = control_characters(text, file)
    try:
        documents = read_documents(without_control_characters(text) if faults else text, file)
    except DefinitionError as error:
        raise DefinitionError([*faults, *error.faults]) from None
    drafts = [build(one, file, source_dir) for one in documents if one is not None]
    return [Draft(file=file, faults=faults), *drafts] if faults else drafts


def _drawn_with_called(workflows: Iterable[DrawnWorkflow], file: str) -> Iterator[Draft]:
    """Draw workflows, and then those that they call and that stand elsewhere."""
    waiting = deque(workflows)
    own = seen = {id(one) for one in waiting}
    while waiting:
        workflow = waiting.popleft()
        yield from _drawn(workflow, file if id(workflow) in own else str(workflow.file))
        new = {id(one): one for one in workflow.called if id(one) not in seen}
        seen = seen | new.keys()
        waiting.extend(new.values())


def _drawn(workflow: DrawnWorkflow, file: str) -> list[Draft]:
    try:
        document = workflow.document()
    except Exception as error:
        raise DefinitionError([fault_of(error, workflow.file, named=file)]) from error
    return [build(located(document, document["lines"]), file, str(workflow.file.resolve().parent))]


def _checked(drafts: list[Draft], file: str | None) -> list[WorkflowDefinition]:
    faults = [fault for draft in drafts for fault in (*draft.faults, *_found(draft))]
    if not drafts:
        faults.append(Fault(message="holds no workflow", file=file))
    faults.extend(_repeated(drafts))
    faults.extend(_calls_without_end(drafts))
    if faults:
        raise DefinitionError(_shortened(sorted(faults, key=lambda fault: fault.line or 0)))
    return [draft.workflow for draft in drafts if draft.workflow is not None]


def _found(draft: Draft) -> list[Fault]:
    if draft.workflow is None:
        return []
    found = check(draft.workflow) or ([] if draft.faults else list(size_faults(draft.workflow)))
    return [_placed(fault, draft) for fault in found]


def _placed(fault: Fault, draft: Draft) -> Fault:
    place = draft.places.get(fault.task)
    if place is None:
        return replace(fault, file=draft.file)
    path = [int(part) if part.isdecimal() else part for part in re.findall(r"[^.\[\]]+", fault.field or "")]
    return replace(fault, file=draft.file, line=place.fault("", path).line)


def _repeated(drafts: list[Draft]) -> list[Fault]:
    seen: set[str] = set()
    faults = []
    for draft in drafts:
        if draft.workflow is None:
            continue
        name = draft.workflow.name
        if name in seen:
            faults.append(
                draft.places[None].fault(f"two workflows of this file are called '{name}'", ["name"])
            )
        seen.add(name)
    return faults


def _calls_without_end(drafts: list[Draft]) -> list[Fault]:
    """Return the fault of workflows of one file that call each other, at the first of them."""
    known = {draft.workflow.name: draft for draft in drafts if draft.workflow is not None}
    calls = {name: called_by(draft.workflow) for name, draft in known.items() if draft.workflow is not None}
    fault = cycle_fault({name: [one for one in called if one != name] for name, called in calls.items()})
    if fault is None:
        return []
    first = next(draft for name, draft in known.items() if f" {name}" in fault.message)
    return [first.places[None].fault(fault.message, ["name"])]


def _shortened(faults: list[Fault]) -> list[Fault]:
    more = len(faults) - names.MAX_FAULTS
    if more <= 0:
        return faults
    return [*faults[: names.MAX_FAULTS], Fault(message=f"and {more} more", file=faults[0].file)]
