"""Owns what is known of the workers: who lives, what they hold, how much they can do, and Redis' generation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from orchestrator.broker.presence import ONLINE, WorkerBeat
from orchestrator.errors import BrokerUnavailable
from orchestrator.master.silence import Silence

log = structlog.get_logger(__name__)

REMEMBERED = timedelta(hours=1)
"""How long an incarnation is remembered that Redis knows no more."""


class BeatSource(Protocol):
    """Where heartbeats are read."""

    def living(self) -> tuple[datetime, Sequence[tuple[WorkerBeat, datetime]]]:
        """Return Redis' time and every known worker with the time it was last seen."""
        ...


class GenerationKeeper(Protocol):
    """Makes a new generation when Redis lost its memory."""

    def ensure(self) -> tuple[str, bool]:
        """Return the generation, and whether it is new."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The workers as of one look. Times are monotonic seconds of this master.

    Attributes:
        last_seen: Incarnation to the time of its last heartbeat.
        listed: Incarnation to the ids of the orders it said it holds.
        names: Incarnation to the worker's name.
        capacity: Group to the capacity of its live workers.
        serving: Group to the names of its live workers.
        willing: Group to the names of those that are not draining.
    """

    at: float = float("-inf")
    last_seen: Mapping[str, float] = field(default_factory=dict)
    listed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    capacity: Mapping[str, int] = field(default_factory=dict)
    serving: Mapping[str, frozenset[str]] = field(default_factory=dict)
    willing: Mapping[str, frozenset[str]] = field(default_factory=dict)


class Membership:
    """Looks at the heartbeats; the loop reads the last snapshot, which never changes.

    Args:
        beats: Heartbeats.
        generations: Redis' generation.
        silence: Told when Redis came back or lost its memory.
        monotonic: Seconds that never go back.
        lost_s: A worker silent for this long does not count as live.
        on_renewal: Called when Redis began a new life: what it had been told may be as it was before.
    """

    def __init__(
        self,
        beats: BeatSource,
        generations: GenerationKeeper,
        silence: Silence,
        monotonic: Callable[[], float],
        lost_s: float,
        on_renewal: Callable[[], None] = lambda: None,
    ) -> None:
        self._beats = beats
        self._generations = generations
        self._silence = silence
        self._monotonic = monotonic
        self._lost_s = lost_s
        self._on_renewal = on_renewal
        self._known_capacity: dict[str, int] = {}
        self._heard: dict[str, datetime] = {}
        self._was_away = False
        self._generation: str | None = None
        self.snapshot = Snapshot()
        self.generation_changed_at: float | None = None

    def step(self) -> None:
        """Look once.

        Raises:
            BrokerUnavailable: Redis is away.
        """
        try:
            generation, changed = self._generations.ensure()
            now, beats = self._beats.living()
        except BrokerUnavailable:
            self._was_away = True
            self._silence.interrupted()  # as long as nobody is heard, nobody's silence means anything
            raise
        if self._generation not in (None, generation):  # the messenger may have been the first to notice
            changed = True
        self._generation = generation
        if changed or self._was_away:
            self._silence.interrupted()
            self._was_away = False
        if changed:
            first = self.generation_changed_at is None and not self.snapshot.last_seen
            (log.info if first else log.warning)("redis.new_generation", generation=generation)
            self.generation_changed_at = self._monotonic()
            if not first:
                self._on_renewal()
        self.snapshot = self._snapshot(now, beats)
        self._note_heard(now, beats)
        self._known_capacity.update(self.snapshot.capacity)

    def capacity(self, group: str) -> int:
        """Return how many tasks the live workers of `group` run at once; without any, the last known number."""
        return self.snapshot.capacity.get(group) or self._known_capacity.get(group, 0)

    def live_workers(self, group: str) -> frozenset[str]:
        """Return the names of the live workers of `group`."""
        return self.snapshot.serving.get(group, frozenset())

    def willing_workers(self, group: str) -> frozenset[str]:
        """Return the names of the live workers of `group` that are not draining."""
        return self.snapshot.willing.get(group, frozenset())

    def was_heard_after(self, incarnation: str, written_ms: int) -> bool:
        """Return whether an incarnation gave a sign of life after this millisecond of Redis' time."""
        heard = self._heard.get(incarnation)
        return heard is not None and int(heard.timestamp() * 1000) > written_ms

    def is_silent(self, incarnation: str) -> bool:
        """Return whether nothing was heard of an incarnation for the loss limit, as of the last snapshot."""
        seen = self.snapshot.last_seen.get(incarnation)
        if seen is None:
            return self.snapshot.at > float("-inf")  # who never looked has not missed anybody
        return self.snapshot.at - seen > self._lost_s

    def _note_heard(self, now: datetime, beats: Sequence[tuple[WorkerBeat, datetime]]) -> None:
        """Remember signs of life beyond what Redis does: an older copy of its data may come back."""
        kept = {one: at for one, at in self._heard.items() if now - at < REMEMBERED}
        for beat, seen in beats:
            kept[beat.incarnation] = max(seen, kept.get(beat.incarnation, seen))
        self._heard = kept

    def _snapshot(self, now: datetime, beats: Sequence[tuple[WorkerBeat, datetime]]) -> Snapshot:
        at = self._monotonic()
        capacity: dict[str, int] = {}
        serving: dict[str, set[str]] = {}
        willing: dict[str, set[str]] = {}
        for beat, seen in beats:
            if (now - seen).total_seconds() > self._lost_s:
                continue
            for group in beat.groups:
                capacity[group] = capacity.get(group, 0) + beat.capacity
                serving.setdefault(group, set()).add(beat.name)
                if beat.state == ONLINE:
                    willing.setdefault(group, set()).add(beat.name)
        return Snapshot(
            at=at,
            last_seen={beat.incarnation: at - (now - seen).total_seconds() for beat, seen in beats},
            listed={beat.incarnation: frozenset(beat.running) for beat, _ in beats},
            names={beat.incarnation: beat.name for beat, _ in beats},
            capacity=capacity,
            serving={group: frozenset(names) for group, names in serving.items()},
            willing={group: frozenset(names) for group, names in willing.items()},
        )
