"""Owns the check of alerts before a definition goes online: every target that it names must be known."""

from collections.abc import Mapping, Sequence

from orchestrator.alerting import book
from orchestrator.authoring.names import did_you_mean
from orchestrator.config import named_settings, setting_name
from orchestrator.core.alerting import Target, targets
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.errors import DefinitionError, Fault

REMEDY = "set {variable} here and on every master"


def refuse_unknown_targets(
    definitions: Sequence[WorkflowDefinition], named: Mapping[str, str] | None = None
) -> None:
    """Return if every target that the definitions name is known to the settings.

    Args:
        definitions: Those that go online.
        named: Values of `ORCHESTRATOR_ALERT_<NAME>` by NAME; default: the environment's.

    Raises:
        DefinitionError: Some are not; each is named, with the setting to write.
    """
    known = named_settings("ALERT") if named is None else named
    faults = [
        Fault(message=_unknown(target, known), field="alerts", workflow=definition.name)
        for definition in definitions
        for target in book.unknown(targets(definition.alerts), known)
    ]
    if faults:
        raise DefinitionError(faults)


def _unknown(target: Target, known: Mapping[str, str]) -> str:
    name = target.address
    near = did_you_mean(setting_name(name), list(known))
    remedy = REMEDY.format(variable=book.variable(name))
    return f"nobody knows the alert target '{name}'{near}; {remedy}"
