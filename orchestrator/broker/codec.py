"""Owns the wire: events as versioned, tagged JSON, orders as the keyword arguments of a Celery message."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from math import isfinite
from typing import Any, assert_never

import msgspec

from orchestrator.core.event import (
    TaskDelayed,
    TaskResult,
    TaskRunning,
    WorkerEvent,
    WorkerOnline,
    WorkerReject,
)
from orchestrator.core.order import Order
from orchestrator.core.status import TaskState
from orchestrator.errors import MalformedEvent, UnresolvedParameter

VERSION = 1

MAX_EVENT_BYTES = 512 * 1024
"""Largest event: 64 KiB of outputs, six bytes for each in the worst escaping, and room for the rest."""

MAX_DEPTH = 100
MAX_NAME = 1_000
MAX_REASON = 8_000
MAX_DELAY_S = 3650 * 24 * 3600.0
MAX_ID = 2**63 - 1
MAX_NUMBER = 2**31 - 1

TYPES: dict[str, type[WorkerEvent]] = {
    "DELAY": TaskDelayed,
    "RUNNING": TaskRunning,
    "RESULT": TaskResult,
    "REJECT": WorkerReject,
    "ONLINE": WorkerOnline,
}

REPORTED = frozenset({TaskState.SUCCESS, TaskState.FAILURE, TaskState.KILLED})

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_ENCODER = msgspec.json.Encoder()
_DECODERS: dict[str, msgspec.json.Decoder[WorkerEvent]] = {
    name: msgspec.json.Decoder(one) for name, one in TYPES.items()
}
_NAMES = {one: name for name, one in TYPES.items()}
_TIMES: dict[type[WorkerEvent], tuple[str, ...]] = {
    TaskDelayed: ("at",),
    TaskRunning: ("at", "dispatched_at"),
    TaskResult: ("at", "started_at", "dispatched_at"),
    WorkerReject: ("at",),
}


class _Head(msgspec.Struct):
    """What is read first: who could read the rest."""

    v: int
    type: str


_HEAD = msgspec.json.Decoder(_Head)


def encode(event: WorkerEvent) -> bytes:
    """Return `event` as a payload that `decode` accepts; its text is cleaned, its reasons are clipped.

    Raises:
        MalformedEvent: It is too large, or holds what JSON or a database cannot.
    """
    try:
        body = _body(_clipped(_checked(event)))
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise MalformedEvent(str(error) or type(error).__name__) from error
    payload = b'{"v":%d,"type":"%s",%s' % (VERSION, _NAMES[type(event)].encode(), body[1:])
    if len(payload) > MAX_EVENT_BYTES:
        raise MalformedEvent(f"{len(payload)} bytes; an event has at most {MAX_EVENT_BYTES}")
    return payload


def decode(payload: bytes) -> WorkerEvent:
    """Return the event of `payload`: checked, cleaned, its times in UTC.

    Raises:
        MalformedEvent: And nothing else, whatever the bytes are; the message says what is wrong.
    """
    if len(payload) > MAX_EVENT_BYTES:
        raise MalformedEvent(f"{len(payload)} bytes; an event has at most {MAX_EVENT_BYTES}")
    try:
        event = _decoder_for(payload).decode(payload)
        if b"\\u0000" in payload:
            event = _cleaned(event)
        return _checked(event)
    except (ValueError, TypeError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise MalformedEvent(str(error) or type(error).__name__) from error


def clean(value: Any) -> Any:
    """Return `value` without NUL characters and lone surrogates, at every depth.

    Either of them in one event would fail the whole group commit in the database.
    """
    match value:
        case str():
            return _UNSTORABLE.sub("", value)
        case Mapping():
            return {clean(key): clean(one) for key, one in value.items()}
        case list() | tuple():
            return [clean(one) for one in value]
        case _:
            return value


def order_to_message(order: Order, generation: str) -> dict[str, Any]:
    """Return the keyword arguments of the Celery message that hands `order` over.

    Raises:
        UnresolvedParameter: It holds a value that no message can hold.
    """
    try:
        return {"version": VERSION, "generation": generation, "order": msgspec.to_builtins(order)}
    except (ValueError, TypeError, RecursionError) as error:
        raise UnresolvedParameter(f"the order cannot be sent: {error}") from error


def order_from_message(message: Mapping[str, Any]) -> tuple[Order, str]:
    """Return the order and the generation of a Celery message's keyword arguments.

    Raises:
        MalformedEvent: The message is not one of `order_to_message`.
    """
    if message.get("version") != VERSION or not isinstance(message.get("generation"), str):
        raise MalformedEvent(f"an order of version {message.get('version')!r}; this program reads {VERSION}")
    try:
        return msgspec.convert(message.get("order"), Order), message["generation"]
    except (ValueError, TypeError, RecursionError) as error:
        raise MalformedEvent(f"order: {error}") from error


def _decoder_for(payload: bytes) -> msgspec.json.Decoder[WorkerEvent]:
    head = _HEAD.decode(payload)
    if head.v != VERSION:
        raise ValueError(f"version {head.v} is unknown; this program reads {VERSION}")
    decoder = _DECODERS.get(head.type)
    if decoder is None:
        raise ValueError(f"type {head.type[:40]!r} is unknown; known are {', '.join(TYPES)}")
    return decoder


def _body(event: WorkerEvent) -> bytes:
    try:
        body = _ENCODER.encode(event)
    except UnicodeEncodeError:  # a lone surrogate
        return _ENCODER.encode(_cleaned(event))
    return _ENCODER.encode(_cleaned(event)) if b"\\u0000" in body else body


def _clipped(event: WorkerEvent) -> WorkerEvent:
    match event:
        case TaskResult(reason=reason, error=error) if len(reason or "") + len(error or "") > MAX_REASON:
            return replace(event, reason=reason and reason[:MAX_REASON], error=error and error[:MAX_REASON])
        case WorkerReject(detail=detail) if len(detail) > MAX_REASON:
            return replace(event, detail=detail[:MAX_REASON])
        case _:
            return event


def _cleaned(event: WorkerEvent) -> WorkerEvent:
    kind = type(event)
    return msgspec.convert(clean(msgspec.to_builtins(event, builtin_types=(datetime,))), kind)


def _checked(event: WorkerEvent) -> WorkerEvent:
    """Return `event` with its times in UTC if a database could store it and the core could use it."""
    _limit("worker", len(event.worker), 0, MAX_NAME)
    _limit("incarnation", len(event.incarnation), 0, MAX_NAME)
    if isinstance(event, WorkerOnline):
        return event
    _check_token(event)
    match event:
        case TaskDelayed():
            _check_delay(event)
        case TaskRunning():
            _check_place(event)
        case TaskResult():
            _check_place(event)
            _check_result(event)
        case WorkerReject():
            pass  # its reason is one of an enumeration
        case _:
            assert_never(event)
    return _in_utc(event)


def _check_token(event: TaskDelayed | TaskRunning | TaskResult | WorkerReject) -> None:
    _limit("workflow_instance_id", event.workflow_instance_id, 1, MAX_ID)
    _limit("length of task", len(event.task), 1, MAX_NAME)
    _limit("attempt", event.attempt, 1, MAX_NUMBER)
    _limit("dispatch", event.dispatch, 1, MAX_NUMBER)
    _limit("length of ticket", len(event.ticket), 0, MAX_NAME)


def _check_delay(event: TaskDelayed) -> None:
    if not (isfinite(event.seconds) and 0 <= event.seconds <= MAX_DELAY_S):
        raise ValueError(f"seconds must be between 0 and {MAX_DELAY_S:.0f}")


def _check_place(event: TaskRunning | TaskResult) -> None:
    _limit("length of host", len(event.host), 0, MAX_NAME)
    _limit("length of log_path", len(event.log_path or ""), 0, 8 * MAX_NAME)
    _limit("pid", event.pid or 0, 0, MAX_NUMBER)
    _limit("process_group", event.process_group or 0, 0, MAX_NUMBER)


def _check_result(event: TaskResult) -> None:
    if event.state not in REPORTED:
        raise ValueError(f"state {event.state} is not for a worker to report")
    _limit("exit_code", event.exit_code or 0, -MAX_NUMBER, MAX_NUMBER)
    _check_depth(event.outputs)


def _check_depth(outputs: Mapping[str, Any]) -> None:
    """Refuse outputs so deeply nested that walking through them could exhaust the stack."""
    level: list[Any] = list(outputs.values())
    depth = 0
    while level:
        depth += 1
        _limit("depth of outputs", depth, 0, MAX_DEPTH)
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                below.extend(one.values())
            elif isinstance(one, list | tuple):
                below.extend(one)
        level = below


def _in_utc(event: TaskDelayed | TaskRunning | TaskResult | WorkerReject) -> WorkerEvent:
    changed: dict[str, Any] = {}
    for name in _TIMES[type(event)]:
        time: datetime | None = getattr(event, name)
        if time is None or time.tzinfo is UTC:
            continue
        if time.tzinfo is None:
            raise ValueError(f"{name} has no time zone")
        changed[name] = time.astimezone(UTC)
    return replace(event, **changed) if changed else event


def _limit(what: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{what} must be between {low} and {high}")
