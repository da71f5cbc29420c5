"""The wire: what goes out comes back, and nothing that comes in raises anything undeclared."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.broker import codec
from orchestrator.broker.codec import clean, decode, encode, order_from_message, order_to_message
from orchestrator.core.event import (
    RejectReason,
    TaskDelayed,
    TaskResult,
    TaskRunning,
    WorkerEvent,
    WorkerOnline,
    WorkerReject,
)
from orchestrator.core.order import Order
from orchestrator.core.status import TaskState
from orchestrator.errors import MalformedEvent

NOW = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
TOKEN: dict[str, Any] = {
    "workflow_instance_id": 7,
    "task": "load[3]",
    "attempt": 2,
    "dispatch": 3,
    "ticket": "s3cret",
    "worker": "celery@host",
    "incarnation": "abc",
    "at": NOW,
}
RESULT = TaskResult(
    **TOKEN,
    state=TaskState.SUCCESS,
    outputs={"rows": 42, "nested": {"list": [1, None, "x", 1.5]}},
    exit_code=0,
    host="host",
    pid=123,
    process_group=123,
    log_path="/logs/7/load.2.log",
    external_ids={"batch": "x-1"},
    started_at=NOW,
)
EVENTS: list[WorkerEvent] = [
    TaskDelayed(**TOKEN, seconds=2.5),
    TaskDelayed(**TOKEN, seconds=0.0, began=False),
    TaskRunning(**TOKEN, host="host", pid=1, process_group=1, log_path="/l", dispatched_at=NOW),
    RESULT,
    WorkerReject(**TOKEN, reason=RejectReason.UNKNOWN_CALLABLE, detail="No module named 'x'"),
    WorkerOnline(worker="celery@host", incarnation="abc"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_every_event_comes_back_as_it_was_sent(event: WorkerEvent) -> None:
    """Encoding and decoding change nothing, for each type of event."""
    assert decode(encode(event)) == event


def test_every_type_of_event_has_a_name_on_the_wire() -> None:
    """A sixth event needs an entry in the codec's table; this names what lacks it."""
    assert {type(event) for event in EVENTS} == set(codec.TYPES.values())


def test_times_come_back_in_utc() -> None:
    """A worker elsewhere may write its own zone; the master sees one only."""
    local = NOW.astimezone(timezone(timedelta(hours=5)))

    event = decode(encode(replace(RESULT, at=local)))

    assert isinstance(event, TaskResult)
    assert event.at == NOW
    assert event.at.utcoffset() == timedelta(0)


def test_text_that_no_database_takes_is_cleaned() -> None:
    """NUL bytes and lone surrogates would fail a whole group commit."""
    event = decode(encode(replace(RESULT, reason="a\0b", outputs={"k\0": ["\ud800x"], "e": "😀"})))

    assert isinstance(event, TaskResult)
    assert event.reason == "ab"
    assert event.outputs == {"k": ["x"], "e": "😀"}


def test_text_that_no_database_takes_is_cleaned_on_arrival_too() -> None:
    """Not every sender used our encoder."""
    payload = encode(replace(RESULT, reason="a#b")).replace(b"a#b", b"a\\u0000b")

    event = decode(payload)

    assert isinstance(event, TaskResult)
    assert event.reason == "ab"


def test_long_reasons_are_clipped() -> None:
    """A message of a megabyte from an exception does not make the report undeliverable."""
    event = decode(encode(replace(RESULT, state=TaskState.FAILURE, reason="x" * 1_000_000)))

    assert isinstance(event, TaskResult)
    assert event.reason == "x" * codec.MAX_REASON


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"v": 2}, "version 2"),
        ({"type": "PANIC"}, "PANIC"),
        ({"type": None}, "type"),
        ({"workflow_instance_id": 2**63}, "workflow_instance_id"),
        ({"workflow_instance_id": -1}, "workflow_instance_id"),
        ({"workflow_instance_id": True}, "int"),
        ({"attempt": 0}, "attempt"),
        ({"dispatch": 2**31}, "dispatch"),
        ({"task": ""}, "task"),
        ({"task": "t" * 2_000}, "task"),
        ({"ticket": 5}, "ticket"),
        ({"state": "RUNNING"}, "RUNNING"),
        ({"state": "LOST"}, "LOST"),
        ({"state": "DONE"}, "DONE"),
        ({"at": "2026-11-22T12:00:00"}, "time zone"),
        ({"at": "yesterday"}, "datetime"),
        ({"at": "0001-01-01T00:00:00+23:00"}, "out of range"),
        ({"outputs": [1]}, "outputs"),
        ({"exit_code": 2**40}, "exit_code"),
        ({"pid": -1}, "pid"),
    ],
)
def test_what_is_wrong_with_an_event_is_named(change: dict[str, Any], told: str) -> None:
    """Each fault is a MalformedEvent whose message says where it is."""
    document = {**json.loads(encode(RESULT)), **change}

    with pytest.raises(MalformedEvent, match=told):
        decode(json.dumps(document).encode())


@pytest.mark.parametrize("missing", ["v", "type", "task", "attempt", "dispatch", "ticket", "state"])
def test_a_missing_field_is_malformed(missing: str) -> None:
    """Nothing that carries the token may be left out."""
    document = json.loads(encode(RESULT))
    del document[missing]

    with pytest.raises(MalformedEvent):
        decode(json.dumps(document).encode())


def test_an_event_that_is_too_large_is_refused_on_both_sides() -> None:
    """The worker learns at once; a sender that does not ask is buried."""
    with pytest.raises(MalformedEvent, match="bytes"):
        encode(replace(RESULT, outputs={"x": "y" * codec.MAX_EVENT_BYTES}))
    with pytest.raises(MalformedEvent, match="bytes"):
        decode(b" " * (codec.MAX_EVENT_BYTES + 1))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"\xff\xfe",
        b"[" * 400_000,
        b'{"v":1,"type":"RESULT","outputs":' + b'{"a":' * 80_000,
        b'{"v":1,"type":"ONLINE","worker":"a\\ud800","incarnation":"b"}',
        encode(RESULT).replace(b":42", b":" + b"9" * 100_000),
        encode(RESULT).replace(b":42", b":1e999"),
        encode(RESULT).replace(b":42", b":" + b"[" * 150 + b"]" * 150),
        encode(RESULT)[:-1],
        encode(RESULT) + b"}",
    ],
    ids=lambda payload: repr(payload[:20]),
)
def test_hostile_bytes_are_malformed(payload: bytes) -> None:
    """Deep nesting, huge numbers, broken text and cut payloads raise nothing else."""
    with pytest.raises(MalformedEvent):
        decode(payload)


@given(st.binary(max_size=300))
def test_random_bytes_are_malformed(payload: bytes) -> None:
    """Whatever the bytes are, decoding raises MalformedEvent and nothing else."""
    with pytest.raises(MalformedEvent):
        decode(payload)


@settings(max_examples=60)
@given(
    st.sampled_from(EVENTS),
    st.sampled_from([*(field for field in json.loads(encode(RESULT))), "seconds", "reason", "detail"]),
    JSON,
)
def test_a_random_field_value_is_accepted_or_malformed(event: WorkerEvent, field: str, value: Any) -> None:
    """A decoded event can always be encoded again; anything else is MalformedEvent."""
    document = {**json.loads(encode(event)), field: value}
    try:
        decoded = decode(json.dumps(document).encode())
    except MalformedEvent:
        return
    assert decode(encode(decoded)) == decoded


@given(st.data())
def test_a_payload_with_flipped_bytes_is_accepted_or_malformed(data: st.DataObject) -> None:
    """Corruption on the way never breaks the reader."""
    payload = bytearray(encode(RESULT))
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode(bytes(payload))
    except MalformedEvent:
        return


@settings(max_examples=40)
@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_any_json_outputs_come_back_clean(outputs: dict[str, Any]) -> None:
    """What a task may put out survives the wire, but for the characters that are removed."""
    try:
        payload = encode(replace(RESULT, outputs=outputs))
    except MalformedEvent:
        return

    event = decode(payload)

    assert isinstance(event, TaskResult)
    assert event.outputs == clean(outputs)


def test_an_order_comes_back_from_its_message() -> None:
    """The keyword arguments of the Celery message hold the whole order and the generation, as JSON."""
    order = Order(
        workflow_instance_id=7,
        workflow="nightly",
        task="load",
        attempt=1,
        dispatch=2,
        ticket="t",
        type="shell",
        spec={"run": "echo"},
        params={"n": 1},
        parameters={"day": "2026-11-22"},
        outputs={"rows": "integer"},
        timeout_s=5.0,
    )

    message = json.loads(json.dumps(order_to_message(order, "g1")))

    assert order_from_message(message) == (order, "g1")


@pytest.mark.parametrize(
    "message",
    [{}, {"version": 9, "generation": "g"}, {"version": 1}, {"version": 1, "generation": "g", "order": 3}],
)
def test_a_message_that_is_no_order_is_malformed(message: dict[str, Any]) -> None:
    """A worker must not fail in an undeclared way on a foreign message."""
    with pytest.raises(MalformedEvent):
        order_from_message(message)
