"""Owns what parameters are the same for every task of a run: the built-ins, and defaults in their types."""

from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.core import types
from orchestrator.core.definition import ParameterDefinition, WorkflowDefinition
from orchestrator.core.instance import Head


def run_built_ins(definition: WorkflowDefinition, head: Head) -> dict[str, Any]:
    """Return the built-in parameters that are the same for every attempt of a run."""
    zone = ZoneInfo(definition.timezone)
    planned = head.planned_time.astimezone(zone).isoformat(timespec="seconds")
    start = (head.interval_start or head.planned_time).astimezone(zone).isoformat(timespec="seconds")
    return {
        "workflow_name": head.workflow,
        "workflow_instance_id": head.id,
        "run_count": head.run_count,
        "planned_time": planned,
        "data_interval_start": start,
        "data_interval_end": planned,
    }


def typed_default(declared: ParameterDefinition, value: Any) -> Any:
    """Return what the default of a parameter came to, in its declared type.

    Placeholders give text, as do the variables of environments: it is read by the type, as a start parameter is.

    Raises:
        TypeMismatch: It does not fit.
    """
    if declared.type is None or value is None:
        return value
    was_replaced = isinstance(value, str) and value != declared.default
    return types.from_text(value, declared.type) if was_replaced else types.check(value, declared.type)
