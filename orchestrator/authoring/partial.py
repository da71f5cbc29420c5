"""Owns what is known of a workflow whose fields have faults: the checks of the whole still see the rest of it."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from orchestrator.authoring.fields import Strict
from orchestrator.authoring.workflows import Schedule, Workflow

UNNAMED = "(unnamed)"
_ELSEWHERE = frozenset({"params", "alerts"})
"""Parameters are built by themselves; nothing is checked between alerts and the rest."""


def right_fields(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a written workflow that are right by themselves, and of its schedules what is right."""
    known = _right(Workflow, value, {"name": "w"}, _ELSEWHERE)
    schedules = value.get("schedules")
    if "schedules" not in known and isinstance(schedules, list):
        known["schedules"] = [_right_schedule(one) for one in schedules]
    return {"name": UNNAMED, **known}


def _right_schedule(value: Any) -> dict[str, Any]:
    """Return a schedule without what is wrong in it, its `cron` too: it keeps its place among the others."""
    return _right(Schedule, value, {"cron": "* * * * *"}) if isinstance(value, Mapping) else {}


def _right(
    model: type[Strict],
    value: Mapping[str, Any],
    least: Mapping[str, Any],
    without: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for name, one in value.items():
        try:
            checked = model.model_validate({**least, name: one})
        except (TypeError, ValidationError):
            continue
        if name not in without:
            known[name] = checked.model_dump(mode="json", include={name}, exclude_unset=True)[name]
    return known
