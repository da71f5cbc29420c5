"""Alerts: who is told of what, which facts are stored only for those who ask, one row for each target."""

from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.authoring.load import load_text
from orchestrator.core.alerting import (
    EVENTS,
    Channel,
    Target,
    deliveries,
    fault,
    read_target,
    targets,
    targets_of,
)
from orchestrator.core.command import Alert
from orchestrator.core.notice import AttemptLost
from orchestrator.errors import DefinitionError
from tests.builders import a_definition, a_task
from tests.unit.core.play import Play

AT = datetime(2026, 11, 1, 2, tzinfo=UTC)
FACT = Alert(
    key="workflow_failure:17:1:",
    slot=17,
    workflow_instance_id=17,
    kind="workflow_failure",
    body={"workflow": "nightly", "reason": "failed: load"},
)
OPS = Target(channel=Channel.WEBHOOK, address="ops")


def asking(*events: str, **task: Any) -> Play:
    """Start a run of one task whose workflow wants to hear of `events`."""
    rules = ({"webhook": "ops", "events": list(events)},)
    return Play(a_definition(a_task("a", **task), alerts=rules)).start()


def kinds(play: Play) -> list[str]:
    """Return the kinds of the alerts that were decided."""
    return [alert.kind for alert in play.alerts]


def test_each_target_of_an_event_gets_a_row_of_its_own() -> None:
    """The key names fact and target; the message is the same for all."""
    rules = [
        {"webhook": "ops", "events": ["workflow_failure", "parked"]},
        {"email": "a@b.c", "events": ["workflow_failure"]},
        {"webhook": "ops", "events": ["workflow_failure"]},
        {"command": "pager", "events": ["parked"]},
    ]

    rows = deliveries(FACT, AT, targets_of(rules, "workflow_failure"))

    assert [(row.key, row.kind, row.slot, row.workflow_instance_id) for row in rows] == [
        ("workflow_failure:17:1:>webhook:ops", "webhook", 17, 17),
        ("workflow_failure:17:1:>email:a@b.c", "email", 17, 17),
    ]
    assert rows[0].body["message"] == {
        "event": "workflow_failure",
        "key": "workflow_failure:17:1:",
        "at": "2026-11-01T02:00:00Z",
        "workflow": "nightly",
        "workflow_instance_id": 17,
        "details": {"reason": "failed: load"},
    }
    assert [str(one) for one in targets(rules)] == ["webhook:ops", "email:a@b.c", "command:pager"]


def test_success_is_stored_only_for_those_who_ask() -> None:
    """Nobody else pays a row for every run."""
    asked, silent = asking("workflow_success"), asking("workflow_failure")
    for play in (asked, silent):
        play.succeed("a")

    assert [alert.key for alert in asked.alerts] == ["workflow_success:17:1:"]
    assert kinds(silent) == []


def test_a_task_that_is_tried_again_has_not_failed_yet() -> None:
    """One alert, when no retry is left."""
    play = asking("task_failure", retries=1)

    play.fail("a", reason="exit code 1")
    assert kinds(play) == []
    play.fail("a", reason="exit code 3")

    assert [alert.key for alert in play.alerts] == ["task_failure:17:1:a:2", "workflow_failure:17:1:"]
    assert play.alerts[0].body == {"workflow": "w", "task": "a", "attempt": 2, "reason": "exit code 3"}


def test_a_timeout_that_the_worker_enforced_is_a_task_timeout() -> None:
    """Under the key that the master would have used, so that both together are one alert."""
    play = asking("task_timeout", timeout_s=5.0)

    play.fail("a", reason="timeout", error="timeout")

    assert [alert.key for alert in play.alerts] == ["task_timeout:17:1:a:1", "workflow_failure:17:1:"]


def test_a_lost_attempt_is_told() -> None:
    """With the reason; its replacement goes on."""
    play = asking("task_lost")
    play.running("a")

    play.notify("a", AttemptLost, incarnation=play["a"].incarnation, reason="its worker is gone")

    assert [(alert.key, alert.body["reason"]) for alert in play.alerts] == [
        ("task_lost:17:1:a:1", "its worker is gone")
    ]


def test_a_check_that_is_false_is_told_under_one_key() -> None:
    """Also where it fails the task."""
    rules = ({"webhook": "ops", "events": ["check_failed"]},)
    definition = a_definition(a_task("a", check={"expression": "rows > 0"}), alerts=rules)
    play = Play(definition, inspect=lambda _task, _attempt: False).start()

    play.succeed("a")

    assert [alert.key for alert in play.alerts] == ["check_failed:17:1:a:1", "workflow_failure:17:1:"]


@pytest.mark.parametrize(
    "text", ["webhook:https://h/x", "webhook:ops", "email:a@b.c", "email:team", "command:pager-2.x"]
)
def test_targets_are_written_as_they_are_read(text: str) -> None:
    """`channel:address`, for the setting of the deployment's targets."""
    assert str(read_target(text)) == text


@pytest.mark.parametrize(
    "text",
    ["ops", "pager:ops", "webhook:", "webhook:ftp://h", "webhook:http://", "webhook:http://h:x/", "webhook:secret://a",
     "email:a@", "email:A <a@b.c>", "email:a@b.c,d@e.f", "command:rm -rf /", "command:/bin/true"],
)  # fmt: skip
def test_what_is_no_target_is_refused(text: str) -> None:
    """With the rule; a command is always a name, so that no definition brings its own."""
    with pytest.raises(ValueError, match=r"webhook|URL|address|ORCHESTRATOR_ALERT_<NAME>"):
        read_target(text)


def test_a_malformed_target_is_a_fault_of_the_file() -> None:
    """With the line, the field and what would be right; so is an unknown event."""
    text = """
workflow:
  name: w
  alerts:
    - {email: nobody at home, events: [workflow_failure]}
    - {webhook: ops, events: [workflow_failed]}
tasks: [{name: a, type: noop}]
"""
    with pytest.raises(DefinitionError) as caught:
        load_text(text, "w.yaml")

    told = str(caught.value)
    assert "email: 'nobody at home' is not an address (ops@example.org)" in told
    assert "w.yaml:5" in told
    assert "workflow_success" in told


def test_the_language_knows_every_event() -> None:
    """Each name can be written, and no other one is offered."""
    rules = ", ".join(EVENTS)
    (definition,) = load_text(
        f"workflow: {{name: w, alerts: [{{webhook: ops, events: [{rules}]}}]}}\ntasks: [{{name: a, type: noop}}]",
        "w.yaml",
    )

    assert fault(OPS) is None
    assert tuple(definition.alerts[0]["events"]) == EVENTS
