"""Owns what lies between a client and the simulated Redis: time, outages, lost commands and lost replies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import TimeoutError as NoReply

from tests.simulation.celery_broker import QUEUES
from tests.simulation.network_aims import (
    ONLINE,
    RESULT,
    Aim,
    Command,
    as_bytes,
    is_publication,
    is_running,
    results_of,
)
from tests.simulation.schedule import Process, Schedule, Signal
from tests.simulation.story import DULL, Story, shortened

RETRY_AFTER_OUTAGE_S = 0.05


@dataclass(slots=True)
class Weather:
    """What happens to the traffic just now.

    Attributes:
        away_until_s: Nobody reaches Redis before this simulated second.
        restarts: How often the server has closed all connections.
        apart_until_s: Who does not reach Redis before which simulated second.
        aims: Round trips that get lost.
        at_next_message: What is done once, as soon as a message has come into a queue.
        troubles: How many round trips went wrong.
        sent_events: Events of attempts that workers sent, with their streams: what faults send again.
        unreadable: Events that faults cut off.
        results: When each RESULT came into a stream, and its payload.
        read: When a master had read each RESULT, and its payload.
        at_claim: Called with the key and the generation of each claim that was given, before time goes on.
    """

    away_until_s: float = 0.0
    restarts: int = 0
    apart_until_s: dict[str, float] = field(default_factory=dict)
    aims: list[Aim] = field(default_factory=list)
    at_next_message: list[Callable[[], None]] = field(default_factory=list)
    troubles: int = 0
    sent_events: list[tuple[bytes, dict[bytes, bytes]]] = field(default_factory=list)
    unreadable: list[bytes] = field(default_factory=list)
    results: list[tuple[float, bytes]] = field(default_factory=list)
    read: list[tuple[float, bytes]] = field(default_factory=list)
    at_claim: Callable[[bytes, bytes], None] = lambda _claim, _generation: None

    def cut_off(self, name: str, until_s: float) -> None:
        """Let a worker with all its processes, or a master, not reach Redis for a while."""
        self.apart_until_s[name] = max(self.apart_until_s.get(name, 0.0), until_s)

    def is_away(self, process: Process, now_s: float) -> bool:
        """Return whether a process cannot reach Redis now."""
        name = process.name.partition("/")[0]
        return now_s < max(self.away_until_s, self.apart_until_s.get(name, 0.0))

    def aim_at(
        self, process: Process, commands: Sequence[Command], replies: Sequence[Any] | None = None
    ) -> bool:
        """Return whether this round trip gets lost: before it is carried out, or after, with its replies."""
        is_master = process.name.startswith("master-")
        for aim in self.aims:
            if aim.after is (replies is not None) and aim.hits(is_master, commands, replies):
                self.aims.remove(aim)
                self.troubles += 1
                aim.hit()
                return True
        return False


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
        self._restarts = weather.restarts

    def call(
        self, who: str, commands: Sequence[tuple[Any, ...]], execute: Callable[[], list[Any]]
    ) -> list[Any]:
        """Carry out one round trip, before and after which others may take their turns."""
        self._process.check()
        self._schedule.pause()
        self._reach()
        if self._spoilt and self._weather.aim_at(self._process, commands):
            self._say(who, commands, "never arrives")
            raise NoReply("a command got lost")
        replies = execute()
        self._tell(commands, replies)
        if self._spoilt and self._weather.aim_at(self._process, commands, replies):
            self._say(who, commands, "its reply is lost")
            raise NoReply("a reply got lost")
        self._say(who, commands, replies)
        self._schedule.pause()
        if self._weather.is_away(self._process, self._schedule.now_s):
            self._weather.troubles += 1
            raise Unreachable("the simulated Redis went away before it answered")
        if commands[0][0] == "XREADGROUP":
            self._weather.read += [(self._schedule.now_s, one) for one in results_of(replies[0])]
        return replies

    def _reach(self) -> None:
        """Return if a command can arrive; raise what redis-py raises if not."""
        weather = self._weather
        if weather.is_away(self._process, self._schedule.now_s):
            weather.troubles += 1
            self._schedule.pause(RETRY_AFTER_OUTAGE_S)
            raise Unreachable("the simulated Redis is away")
        known, self._restarts = self._restarts, weather.restarts
        if self._spoilt and known != weather.restarts:
            weather.troubles += 1
            raise Unreachable("the simulated Redis has closed the connection")

    def _tell(self, commands: Sequence[tuple[Any, ...]], replies: Sequence[Any]) -> None:
        for command, reply in zip(commands, replies, strict=True):
            match command[0]:
                case "XADD":
                    self._note(command)
                    self._schedule.notify(self._signals.stream)
                case "EVALSHA" if is_running(command) and _is_claimed(reply):
                    self._weather.at_claim(as_bytes(command[3]), as_bytes(command[7]))
                    self._remember(command[5], command[-3], command[-2], command[-1])
                    self._schedule.notify(self._signals.stream)
                case "RPUSH" | "LPUSH":
                    self._schedule.notify(self._signals.of(command[1]))
                case _:
                    pass
        if any(is_publication(command) for command in commands):
            self._tell_of_messages()

    def _tell_of_messages(self) -> None:
        waiting, self._weather.at_next_message = self._weather.at_next_message, []
        for act in waiting:
            act()

    def _say(self, who: str, commands: Sequence[tuple[Any, ...]], replies: object) -> None:
        if self._story.listening and replies != [None] and any(one[0] not in DULL for one in commands):
            said = "; ".join(shortened(command) for command in commands if command[0] not in DULL)
            self._story.tell(who, f"{said} -> {shortened(replies)}")

    def _note(self, command: Sequence[Any]) -> None:
        """Remember an event; wake entries and dead letters are none."""
        if command[2] != "*":
            return
        fields = {as_bytes(name): value for name, value in zip(command[3::2], command[4::2], strict=True)}
        if b"p" in fields:
            self._remember(command[1], fields[b"w"], fields[b"s"], fields[b"p"])

    def _remember(self, stream: object, worker: object, spool_id: object, payload: object) -> None:
        if ONLINE in as_bytes(payload):
            return  # most of what workers send, and nobody's report
        fields = {b"w": as_bytes(worker), b"s": as_bytes(spool_id), b"p": as_bytes(payload)}
        self._weather.sent_events.append((as_bytes(stream), fields))
        if RESULT in fields[b"p"]:
            self._weather.results.append((self._schedule.now_s, fields[b"p"]))


def _is_claimed(reply: object) -> bool:
    """Whether a claim was given: only then its RUNNING stands in the stream."""
    return isinstance(reply, list) and as_bytes(reply[0]) == b"CLAIMED"
