"""The outbox: facts and their deliveries are told apart, on every database."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.core.alerting import Channel, Target, deliveries
from orchestrator.core.command import Alert
from orchestrator.store.outbox import Outbox, OutboxEntry
from orchestrator.store.queries import Queries
from tests.contract.store.bench import Bench, make_alert

AT = datetime(2026, 11, 1, tzinfo=UTC)
SLOTS = range(64)
RULES: tuple[Mapping[str, Any], ...] = (
    {"webhook": "ops", "events": ["workflow_failure"]},
    {"email": "é@b.c", "events": ["parked"]},
)
OPS = Target(channel=Channel.WEBHOOK, address="ops")
PAGER = Target(channel=Channel.COMMAND, address="pager")


@pytest.fixture
def outbox(bench: Bench) -> Outbox:
    """The outbox with one alert that was told, and its deliveries to two targets."""
    loaded = bench.submit_and_load()
    alert = make_alert(loaded)
    bench.commit(alerts=(alert,))
    outbox = Outbox(bench.engine)
    (fact,) = outbox.due(SLOTS, 10)
    outbox.tell([fact.id], deliveries(alert, AT, [OPS, PAGER]))
    return outbox


def due(outbox: Outbox, *without: str) -> list[OutboxEntry]:
    """Return the deliveries that are due."""
    return outbox.due_deliveries(SLOTS, 10, without)


def test_telling_an_alert_leaves_a_delivery_for_each_target(outbox: Outbox) -> None:
    """In one transaction; the alert itself is told no more."""
    assert outbox.due(SLOTS, 10) == []
    assert [row.target for row in due(outbox)] == [OPS, PAGER]
    assert {row.body["message"]["key"] for row in due(outbox)} == {"17:workflow_failure:1"}
    assert all(row.created_at.tzinfo is UTC for row in due(outbox))


def test_telling_it_twice_leaves_no_second_delivery(outbox: Outbox) -> None:
    """Two masters, or one that died in between: the key is unique, also when the first has arrived."""
    # Teeth: fails without `on_conflict_do_nothing`.
    first, second = due(outbox)
    outbox.delivered([first.id])

    alert = Alert(key="17:workflow_failure:1", slot=1, workflow_instance_id=1, kind="workflow_failure")
    outbox.tell([], deliveries(alert, AT, [OPS, PAGER]))

    assert [row.id for row in due(outbox)] == [second.id]


def test_targets_that_rest_do_not_fill_the_window(outbox: Outbox) -> None:
    """They are left out by the database, however many rows wait for them."""
    assert [row.target for row in due(outbox, "webhook:ops", "email:x@y.z")] == [PAGER]
    assert due(outbox, "webhook:ops", "command:pager") == []
    assert outbox.due_deliveries((), 10, ()) == []


def test_what_does_not_arrive_is_named_with_its_last_error(bench: Bench, outbox: Outbox) -> None:
    """For each target; what was not tried yet is no news."""
    queries = Queries(bench.engine)
    assert queries.undelivered_alerts() == []

    outbox.postpone(due(outbox)[0].id, 3600, "HTTP 503")

    (one,) = queries.undelivered_alerts()
    assert (one["target"], one["waiting"], one["error"]) == ("webhook:ops", 1, "HTTP 503")
    assert one["since"].tzinfo is not None
    assert [row.target for row in due(outbox)] == [PAGER]


def test_rules_are_those_of_the_version_that_a_run_is_pinned_to(bench: Bench) -> None:
    """By run; runs whose workflow tells nobody are not named."""
    first = bench.submit(definition_id=bench.deploy(alerts=RULES).id)
    second = bench.submit(definition_id=bench.deploy(alerts=RULES[:1]).id)
    silent = bench.submit(definition_id=bench.deploy(name="silent").id)

    rules = Outbox(bench.engine).rules([first.id, second.id, silent.id, 4711])

    assert rules == {first.id: list(RULES), second.id: list(RULES[:1])}
    assert Outbox(bench.engine).rules([]) == {}
