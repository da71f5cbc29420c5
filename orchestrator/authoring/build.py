"""Owns the way from a document of the language to a definition: models first, then values of the core."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from pydantic import ValidationError

from orchestrator.authoring import names
from orchestrator.authoring.document import Listed, Mapped, plain
from orchestrator.authoring.faults import Place, faults_of
from orchestrator.authoring.fields import Strict
from orchestrator.authoring.names import did_you_mean
from orchestrator.authoring.partial import right_fields
from orchestrator.authoring.task_fields import AnyTask
from orchestrator.authoring.tasks import ALIASES, MODELS, added_types, model_of
from orchestrator.authoring.workflows import Parameter, Workflow
from orchestrator.core import types
from orchestrator.core.definition import (
    Execution,
    OnFailure,
    ParameterDefinition,
    Priority,
    TaskDefinition,
    Trigger,
    WorkflowDefinition,
)
from orchestrator.core.parameters import texts
from orchestrator.errors import Fault

_RENAMED = {
    "retry_delay": "retry_delay_s",
    "max_retry_delay": "max_retry_delay_s",
    "timeout": "timeout_s",
    "queue_timeout": "queue_timeout_s",
    "delay": "delay_s",
    "map": "map_over",
}
_TYPED: dict[str, Any] = {
    "trigger": Trigger,
    "priority": Priority,
    "on_failure": OnFailure,
    "execution": Execution,
    "needs": tuple,
    "non_retryable": tuple,
    "tags": tuple,
    "alerts": tuple,
    "schedules": tuple,
}
_TASK_FIELDS = frozenset(one.name for one in fields(TaskDefinition))
_DECLARATION = frozenset({"type", "default", "required", "description"})


@dataclass(slots=True, kw_only=True)
class Draft:
    """A document on its way to a definition.

    Attributes:
        tasks: Those whose fields are right, and of the others what is known.
        places: Task name to where it stands; `None` is the workflow.
    """

    file: str | None
    faults: list[Fault] = field(default_factory=list)
    tasks: list[TaskDefinition] = field(default_factory=list)
    places: dict[str | None, Place] = field(default_factory=dict)
    workflow: WorkflowDefinition | None = None


def build(document: Any, file: str | None, source_dir: str | None) -> Draft:
    """Return the draft of one workflow, with every fault that lies in its fields.

    Args:
        document: A map with `workflow` and `tasks`, as `read_documents` gives it.
        file: The file as the user named it.
        source_dir: Directory that the definition belongs to.
    """
    draft = Draft(file=file)
    root = Place(value=document, file=file)
    if not isinstance(document, dict):
        draft.faults.append(root.fault("a workflow file holds a map with 'workflow' and 'tasks'"))
        return draft
    for key in document:
        if key not in ("workflow", "tasks"):
            message = f"is no field{did_you_mean(key, ('workflow', 'tasks'))}; allowed: tasks, workflow"
            draft.faults.append(root.fault(message, [key]))
    _build_tasks(draft, document.get("tasks"), root)
    _build_workflow(draft, document.get("workflow"), root, source_dir)
    return draft


def _build_workflow(draft: Draft, value: Any, root: Place, source_dir: str | None) -> None:
    place = draft.places[None] = Place(value=value, file=draft.file)
    if not isinstance(value, dict):
        draft.faults.append(root.fault("is missing; write workflow: {name: …}", ["workflow"]))
        model = None
    else:
        model = _validated(draft, Workflow, value, place)
    params = _parameters(draft, value.get("params") if isinstance(value, dict) else None, place)
    written = _written(model) if model else right_fields(value if isinstance(value, dict) else {})
    values = _workflow_values(written)
    draft.workflow = WorkflowDefinition(
        **{**values, "params": params, "tasks": tuple(draft.tasks), "source_dir": source_dir}
    )


def _written(model: Workflow) -> dict[str, Any]:
    return model.model_dump(mode="json", exclude_unset=True, exclude={"params"})


def _workflow_values(written: Mapping[str, Any]) -> dict[str, Any]:
    return {
        _RENAMED.get(name, name): _typed(name, value) for name, value in written.items() if value is not None
    }


def _parameters(draft: Draft, value: Any, place: Place) -> dict[str, ParameterDefinition]:
    if not isinstance(value, dict):
        return {}
    return {name: _parameter(draft, name, one, place) for name, one in value.items()}


def _parameter(draft: Draft, name: str, value: Any, place: Place) -> ParameterDefinition:
    if not (isinstance(value, dict) and value and set(value) <= _DECLARATION):
        return ParameterDefinition(default=plain(value))
    if any(types.unstorable(value)):  # noted with the workflow's fields
        return ParameterDefinition()
    part = Place(value=value, file=place.file, prefix=("params", name))
    model = _validated(draft, Parameter, value, part)
    if model is None:
        return ParameterDefinition()
    given = "default" in model.model_fields_set
    if given and model.required:
        draft.faults.append(place.fault("required and default exclude each other", ["params", name]))
    default = plain(model.default)
    if given and model.type is not None and default is not None and not _is_written_later(default):
        try:
            default = types.check(default, model.type)
        except types.TypeMismatch as error:
            draft.faults.append(place.fault(f"the default does not fit the type: {error}", ["params", name]))
    return ParameterDefinition(type=model.type, default=default, required=not given)


def _is_written_later(value: Any) -> bool:
    return any("${" in text or "$[" in text for text in texts(value))


def _build_tasks(draft: Draft, value: Any, root: Place) -> None:
    if not isinstance(value, list) or not value:
        message = "must be a list of tasks" if value else "is missing; a workflow has at least one task"
        draft.faults.append(root.fault(message, ["tasks"]))
        return
    if len(value) > names.MAX_TASKS:
        message = f"a workflow has at most {names.MAX_TASKS} tasks, this one {len(value)}"
        draft.faults.append(root.fault(message, ["tasks"]))
        return
    for index, one in enumerate(value):
        if isinstance(one, dict):
            _build_task(draft, _without_aliases(draft, one))
        else:
            draft.faults.append(root.fault("must be a map with name, type, …", ["tasks", index]))


def _build_task(draft: Draft, value: Mapped) -> None:
    name = value.get("name")
    place = Place(value=value, file=draft.file, task=name if isinstance(name, str) else None)
    if not _is_new(draft, place):
        return
    model_type = _model_type(draft, value.get("type"), place)
    if model_type is None:
        draft.faults.extend(_unstorable(value, place))
    model = _validated(draft, model_type, value, place) if model_type else None
    if model is not None:
        draft.tasks.append(_task(model))
    elif place.task is not None:
        draft.tasks.append(_incomplete(place.task, value))


def _incomplete(name: str, value: Mapping[str, Any]) -> TaskDefinition:
    """Return what is known of a task at fault, so that the checks of the whole still see it."""
    needs = value.get("needs")
    params, element = value.get("params"), value.get("map_as")
    return TaskDefinition(
        name=name,
        type="",
        needs=tuple(one for one in needs if isinstance(one, str)) if isinstance(needs, list) else (),
        params=params if isinstance(params, dict) else {},
        map_over=value.get("map"),
        map_as=element if isinstance(element, str) else "item",
    )


def _is_new(draft: Draft, place: Place) -> bool:
    if place.task is None:
        return True
    if place.task in draft.places:
        draft.faults.append(place.fault("this name stands twice", ["name"]))
        return False
    draft.places[place.task] = place
    return True


def _model_type(draft: Draft, name: Any, place: Place) -> type[AnyTask] | None:
    model = model_of(name) if isinstance(name, str) else None
    if model is not None:
        return model
    known = (*MODELS, *added_types())
    guess = did_you_mean(name, known) if isinstance(name, str) else ""
    what = (
        f"there is no type '{name}'"
        if isinstance(name, str)
        else "is missing"
        if name is None
        else "must be text"
    )
    draft.faults.append(place.fault(f"{what}{guess}; types: {', '.join(known)}", ["type"]))
    return None


def _task(model: AnyTask) -> TaskDefinition:
    written = model.model_dump(mode="json", by_alias=True, exclude_unset=True)
    spec = {name: written[name] for name in model.spec_fields if written.get(name) is not None}
    values = {
        _RENAMED.get(name, name): _typed(name, value)
        for name, value in written.items()
        if _RENAMED.get(name, name) in _TASK_FIELDS and name not in spec and value is not None
    }
    if "queue" in spec:  # a celery task's own word for its group
        values["worker_group"] = spec["queue"]
    return TaskDefinition(**values, spec=spec)


def _typed(name: str, value: Any) -> Any:
    return _TYPED[name](value) if name in _TYPED else value


def _validated(draft: Draft, model: type[Strict], value: Mapping[str, Any], place: Place) -> Any:
    """Return the model of `value`, or note its faults and return `None`."""
    faults = _unstorable(value, place)
    faults.extend(place.fault(message) for message in model.contradictions(value))
    told = {fault.field for fault in faults}
    try:
        checked = model.model_validate(value)
    except ValidationError as error:
        faults.extend(fault for fault in faults_of(error, model, place) if fault.field not in told)
    draft.faults.extend(faults)
    return None if faults else checked


def _unstorable(value: Any, place: Place) -> list[Fault]:
    """Return a fault for each part of `value` that cannot be stored: odd numbers and texts, Python's own types."""
    return [place.fault(message, path) for path, message in types.unstorable(value)]


def _without_aliases(draft: Draft, value: dict[str, Any]) -> Mapped:
    """Return the task with the names that other programs use replaced by ours."""
    renamed = Mapped(getattr(value, "line", None) or 0)
    lines: Mapping[str, int] = getattr(value, "lines", {})
    for key, one in value.items():
        name = ALIASES.get(key, key)
        if name in renamed or (name != key and name in value):
            place = Place(value=value, file=draft.file, task=str(value.get("name")))
            draft.faults.append(place.fault(f"'{key}' is another name of '{name}'; give one of them", [key]))
            continue
        renamed[name] = one
        if key in lines:
            renamed.lines[name] = lines[key]
    return renamed


def located(document: Mapping[str, Any], lines: list[int]) -> Mapped:
    """Return a document that was drawn in Python, with the line of the workflow and of each task."""
    root, tasks = Mapped(lines[0]), Listed(lines[0])
    for task, line in zip(document["tasks"], lines[1:], strict=True):
        tasks.append(_on_line(task, line))
        tasks.lines.append(line)
    root.update(workflow=_on_line(document["workflow"], lines[0]), tasks=tasks)
    return root


def _on_line(value: Mapping[str, Any], line: int) -> Mapped:
    mapped = Mapped(line)
    mapped.update(value)
    return mapped
