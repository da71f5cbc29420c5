"""Owns what lies between a client and the simulated Redis: time, outages, lost commands and lost replies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import TimeoutError as NoReply

from tests.simulation.celery_broker import QUEUES
from tests.simulation.schedule import Process, Schedule, Signal
from tests.simulation.story import DULL, Story, shortened

RETRY_AFTER_OUTAGE_S = 0.05
CLAIM_KEYS = 3
"""The script with so many keys is the claim, which also adds RUNNING to a stream."""


@dataclass(slots=True)
class Weather:
    """What happens to the traffic just now.

    Attributes:
        away_until_s: Nobody reaches Redis before this simulated second.
        lost_commands: So many of the next round trips do not arrive.
        lost_replies: So many of the next round trips arrive, and nobody hears the answer.
        troubles: How many round trips went wrong.
        sent_events: Events that workers sent, with their streams: what faults send again.
    """

    away_until_s: float = 0.0
    lost_commands: int = 0
    lost_replies: int = 0
    troubles: int = 0
    sent_events: list[tuple[bytes, dict[bytes, bytes]]] = field(default_factory=list)


@dataclass(slots=True)
class Signals:
    """Who waits for what: `stream` for entries, an inbox by its key, all queues together."""

    by_key: dict[bytes, Signal] = field(default_factory=dict)
    stream: Signal = field(default_factory=Signal)

    def of(self, key: bytes | str) -> Signal:
        """Return the signal of a list; one for all queues."""
        name = key.encode() if isinstance(key, str) else key
        return self.by_key.setdefault(QUEUES if name.startswith(QUEUES) else name, Signal())


class Cable:
    """The network of one process; `redis_client` hands every round trip to it.

    Args:
        schedule: Lets time pass.
        process: Whose traffic this is.
        weather: The same for everybody.
        signals: Told what was written.
        story: Told what is said.
        spoilt: Whether lost commands and replies may hit this process.
    """

    def __init__(
        self,
        schedule: Schedule,
        process: Process,
        weather: Weather,
        signals: Signals,
        story: Story,
        *,
        spoilt: bool = True,
    ) -> None:
        self._schedule = schedule
        self._process = process
        self._weather = weather
        self._signals = signals
        self._story = story
        self._spoilt = spoilt

    def call(
        self, who: str, commands: Sequence[tuple[Any, ...]], execute: Callable[[], list[Any]]
    ) -> list[Any]:
        """Carry out one round trip, before and after which others may take their turns."""
        self._process.check()
        self._schedule.pause()
        weather = self._weather
        if self._schedule.now_s < weather.away_until_s:
            weather.troubles += 1
            self._schedule.pause(RETRY_AFTER_OUTAGE_S)
            raise Unreachable("the simulated Redis is away")
        if self._spoilt and weather.lost_commands:
            weather.lost_commands -= 1
            weather.troubles += 1
            self._say(who, commands, "never arrives")
            raise NoReply("a command got lost")
        replies = execute()
        self._tell(commands)
        if self._spoilt and weather.lost_replies:
            weather.lost_replies -= 1
            weather.troubles += 1
            self._say(who, commands, "its reply is lost")
            raise NoReply("a reply got lost")
        self._say(who, commands, replies)
        self._schedule.pause()
        if self._schedule.now_s < weather.away_until_s:
            weather.troubles += 1
            raise Unreachable("the simulated Redis went away before it answered")
        return replies

    def _tell(self, commands: Sequence[tuple[Any, ...]]) -> None:
        for command in commands:
            match command[0]:
                case "XADD":
                    self._note(command)
                    self._schedule.notify(self._signals.stream)
                case "EVALSHA" if command[2] == CLAIM_KEYS:
                    self._remember(command[5], command[-3], command[-2], command[-1])
                    self._schedule.notify(self._signals.stream)
                case "RPUSH" | "LPUSH":
                    self._schedule.notify(self._signals.of(command[1]))
                case _:
                    pass

    def _say(self, who: str, commands: Sequence[tuple[Any, ...]], replies: object) -> None:
        if self._story.listening and replies != [None] and any(one[0] not in DULL for one in commands):
            said = "; ".join(shortened(command) for command in commands if command[0] not in DULL)
            self._story.tell(who, f"{said} -> {shortened(replies)}")

    def _note(self, command: Sequence[Any]) -> None:
        """Remember an event; wake entries and dead letters are none."""
        if command[2] != "*":
            return
        fields = {_bytes(name): value for name, value in zip(command[3::2], command[4::2], strict=True)}
        if b"p" in fields:
            self._remember(command[1], fields[b"w"], fields[b"s"], fields[b"p"])

    def _remember(self, stream: object, worker: object, spool_id: object, payload: object) -> None:
        fields = {b"w": _bytes(worker), b"s": _bytes(spool_id), b"p": _bytes(payload)}
        self._weather.sent_events.append((_bytes(stream), fields))


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
