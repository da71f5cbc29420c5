"""Targets that no setting knows: refused when a workflow goes online, named by the doctor."""

import pytest

from orchestrator.authoring.load import load_text
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.errors import DefinitionError
from orchestrator.service import definitions
from orchestrator.service.alert_checks import check_alerts
from orchestrator.service.alert_targets import refuse_unknown_targets
from orchestrator.service.backend import Backend


def asking(*targets: str) -> WorkflowDefinition:
    """Return a workflow that tells these targets."""
    rules = ", ".join(f"{{{target}, events: [workflow_failure]}}" for target in targets)
    text = f"workflow: {{name: w, alerts: [{rules}]}}\ntasks: [{{name: a, type: noop}}]"
    return load_text(text, "w.yaml")[0]


def test_unknown_names_are_refused_all_at_once_with_the_remedy() -> None:
    """Each with the setting to write, and a guess at what was meant."""
    definition = asking("webhook: opps", "command: pager", "email: a@b.c", "webhook: ops")

    with pytest.raises(DefinitionError) as caught:
        refuse_unknown_targets([definition], {"OPS": "https://h/"})

    messages = [fault.message for fault in caught.value.faults]
    assert len(messages) == 2
    assert "'opps'" in messages[0]
    assert "did you mean" in messages[0]
    assert "set ORCHESTRATOR_ALERT_PAGER here and on every master" in messages[1]


def test_they_are_refused_when_the_workflow_goes_online(backend: Backend) -> None:
    """Offline it may wait for its settings."""
    definition = asking("webhook: nobody")

    definitions.deploy(backend, [definition], online=False)

    with pytest.raises(DefinitionError, match="NOBODY"):
        definitions.deploy(backend, [definition], online=True)
    with pytest.raises(DefinitionError, match="NOBODY"):
        definitions.set_online(backend, "w", online=True)


def test_the_doctor_names_targets_of_the_deployment_that_nobody_knows(backend: Backend) -> None:
    """Before the first alert for them is lost in waiting."""
    assert [finding.level for finding in check_alerts(backend)] == ["ok"]
    backend.settings = backend.settings.model_copy(update={"alerts": "webhook:nobody, email:a@b.c"})

    (finding,) = check_alerts(backend)

    assert "webhook:nobody" in finding.message
    assert "ORCHESTRATOR_ALERT_NOBODY" in finding.remedy
