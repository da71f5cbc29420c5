"""What an attached application is asked and given, without a worker."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from celery import Celery

from orchestrator import attach
from orchestrator.broker.claims import ClaimAnswer
from orchestrator.broker.codec import decode, order_to_message
from orchestrator.broker.publish import Publisher
from orchestrator.config import load_settings
from orchestrator.core.event import TaskResult
from orchestrator.core.order import Order
from orchestrator.core.status import TaskState
from orchestrator.errors import BrokerUnavailable, UserError
from orchestrator.worker.attached import install_attached
from orchestrator.worker.claiming import Claiming
from orchestrator.worker.enforcer import Enforcer
from orchestrator.worker.forwarder import FORWARDED, Forwarder, is_same_broker
from orchestrator.worker.revocations import Revocations
from orchestrator.worker.spool import Spool
from orchestrator.worker.time_limits import TimeLimits
from tests.unit.worker.twins import IDENTITY, TwinClaims, TwinStreams, make_order, started


def app_of(url: str, **options: Any) -> Celery:
    """Return an application with this broker."""
    app = Celery("shop", broker=url, set_as_current=False)
    app.conf.broker_transport_options = options
    return app


class TwinPublisher:
    """Remembers what it was given."""

    def __init__(self) -> None:
        self.orders: list[tuple[Order, str, str | None]] = []

    def publish(self, orders: list[Order], generation: str, *, expires: str | None = None) -> None:
        """Remember orders."""
        self.orders += [(one, generation, expires) for one in orders]

    def close(self) -> None:
        """Nothing is open."""


class TwinMessage:
    """A message of the masters' broker."""

    def __init__(self, order: Order, **headers: str) -> None:
        self.headers = headers
        self.payload = [[], order_to_message(order, "g"), {}]
        self.ends: list[str] = []

    def ack(self) -> None:
        """Remember."""
        self.ends.append("ack")

    def requeue(self) -> None:
        """Remember."""
        self.ends.append("requeue")


def test_only_celery_applications_can_be_attached() -> None:
    """The message says what was given instead."""
    with pytest.raises(UserError, match=r"attach takes a celery.Celery application, not 'shop'"):
        attach("shop")


def test_workers_that_cannot_read_json_are_told_so() -> None:
    """Orders are JSON; a worker that refuses them would let everything wait."""
    app = app_of("memory://")
    app.conf.accept_content = ["pickle"]

    with pytest.raises(UserError, match="accept pickle; add 'json' to accept_content"):
        install_attached(app, load_settings({}))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (app_of("redis://h/0"), app_of("redis://:pw@h:6379/0"), True),
        (app_of("redis://h/0"), app_of("redis://h/0", global_keyprefix="p:"), False),
        (app_of("redis://h/0"), app_of("redis://h/1"), False),
        (app_of("amqp://h//"), app_of("redis://h/0"), False),
    ],
)
def test_brokers_are_compared_by_place_and_prefix(one: Celery, other: Celery, *, same: bool) -> None:
    """Where they are one, orders need no detour."""
    assert is_same_broker(one, other) is same


def test_order_is_passed_on_with_its_expiry() -> None:
    """A claim lives longer than any message; a second life would break that."""
    publisher, order = TwinPublisher(), make_order()
    message = TwinMessage(order, origin="orchestrator", expires="2026-01-01T00:00:00+00:00")
    forwarder_to(publisher)._pass_on(message)

    assert publisher.orders == [(order, "g", "2026-01-01T00:00:00+00:00")]
    assert message.ends == ["ack"]


def test_order_that_comes_round_stops_the_forwarding() -> None:
    """Two addresses of one broker: nothing is passed on for ever, and the order stays in its queue."""
    publisher = TwinPublisher()
    forwarder = forwarder_to(publisher)
    message = TwinMessage(make_order(), origin=FORWARDED)
    forwarder._pass_on(message)
    forwarder.step()

    assert (publisher.orders, message.ends) == ([], ["requeue"])


def test_forwarder_without_a_broker_knows_it() -> None:
    """Its worker lives and can be given nothing: heartbeats say so."""

    def refused() -> Any:
        raise OSError("connection refused")

    forwarder = Forwarder(refused, cast("Publisher", TwinPublisher()), lambda: ("shop",), lambda: True)
    before = forwarder.is_connected
    with pytest.raises(BrokerUnavailable):
        forwarder.step()

    assert (before, forwarder.is_connected) == (True, False)


def forwarder_to(publisher: TwinPublisher) -> Forwarder:
    """Return a forwarder that is connected to nothing."""

    def connect() -> Any:
        raise AssertionError("not to be called")

    return Forwarder(connect, cast("Publisher", publisher), lambda: ("shop",), lambda: True)


LIMITS = TimeLimits(
    tasks={"shop.both": SimpleNamespace(time_limit=20, soft_time_limit=10), "shop.none": SimpleNamespace()},
    hard_s=60,
    soft_s=50,
    margin_s=30,
)


@pytest.mark.parametrize(
    ("limits", "task_type", "call", "pool"),
    [
        (LIMITS, "celery", "shop.both", (50, 10)),
        (LIMITS, "celery", "shop.none", (90, 50)),
        (LIMITS, "shell", "shop.both", (90, 50)),
        (TimeLimits(tasks=LIMITS.tasks), "celery", "shop.none", (None, None)),
    ],
)
def test_pool_gets_the_hard_limit_with_a_margin(
    limits: TimeLimits, task_type: str, call: str, pool: tuple[float | None, float | None]
) -> None:
    """A task's own limits win over the worker's; our enforcer comes first, by the margin."""
    message = {"order": {"type": task_type, "spec": {"call": call}}}

    assert limits.of_message(message) == pool
    assert limits.are_any


def test_malformed_message_has_no_limits() -> None:
    """It is for the runner to refuse."""
    assert LIMITS.of_message({"order": 5}) == (None, None)


def test_revoked_order_that_waits_is_claimed_and_killed(spool: Spool) -> None:
    """No copy of it can start, and its end is in the stream with the claim."""
    streams = TwinStreams()
    claims = TwinClaims(streams)
    order = make_order()
    revocations_of(spool, claims).note(order_to_message(order, "g"))

    (entry,) = streams.entries.values()
    event = decode(entry.payload)
    assert isinstance(event, TaskResult)
    assert (event.state, event.reason) == (TaskState.KILLED, "revoked")
    assert claims.ask(order.id, "other", "n", "g").answer is ClaimAnswer.TAKEN


def test_revoked_order_that_runs_is_ended(spool: Spool) -> None:
    """The enforcer ends it; what runs it reports."""
    order = make_order()
    started(spool, order.id)
    revocations_of(spool, TwinClaims(TwinStreams())).note(order_to_message(order, "g"))

    assert spool.ending(order.id) == "revoked"


def test_revoked_message_of_somebody_else_is_left_alone(spool: Spool) -> None:
    """It is not ours to end."""
    claims = TwinClaims(TwinStreams())
    revocations_of(spool, claims).note({"a": 1})

    assert claims.held == {}


@pytest.fixture
def spool(tmp_path: Any) -> Spool:
    """An empty spool of the incarnation `now`."""
    return Spool(tmp_path / "w@h.db", "now")


def revocations_of(spool: Spool, claims: TwinClaims) -> Revocations:
    """Return revocations that are carried out at once."""

    def at_once(work: Callable[[], None]) -> None:
        work()

    enforcer = Enforcer(spool, "now", 5.0, signal_child=lambda *_: None)
    return Revocations(
        IDENTITY, Claiming(IDENTITY, spool, claims, 0.0), enforcer, lambda *_: "a.log", apart=at_once
    )
