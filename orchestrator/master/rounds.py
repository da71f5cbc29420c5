"""Owns what the loop does now and then: judge losses, look for gaps and give way, repeat unanswered requests."""

from collections.abc import Callable

from orchestrator.master.concessions import Concessions
from orchestrator.master.effects import Effects
from orchestrator.master.gaps import Gaps
from orchestrator.master.lanes import Lanes
from orchestrator.master.reaper import Reaper


class Rounds:
    """Two slow clocks in the loop's thread.

    Args:
        reaper: Judges losses, every `heartbeat_s`.
        gaps: Looks for groups without workers, as often.
        concessions: Lets what waits for those groups give way in its pools.
        effects: Repeats recalls and kills, every `resend_s`.
        lanes: The runs in memory.
        monotonic: Seconds that never go back.
    """

    def __init__(  # noqa: PLR0913  each is called now and then
        self,
        reaper: Reaper,
        gaps: Gaps,
        concessions: Concessions,
        effects: Effects,
        lanes: Lanes,
        monotonic: Callable[[], float],
        *,
        heartbeat_s: float,
        resend_s: float,
    ) -> None:
        self._reaper = reaper
        self._gaps = gaps
        self._concessions = concessions
        self._effects = effects
        self._lanes = lanes
        self._monotonic = monotonic
        self._heartbeat_s = heartbeat_s
        self._resend_s = resend_s
        self._judge_at = monotonic() + heartbeat_s
        self._repeat_at = monotonic() + resend_s

    def step(self) -> None:
        """Do what is due."""
        now = self._monotonic()
        if now >= self._judge_at:
            self._judge_at = now + self._heartbeat_s
            self._reaper.step()
            self._gaps.step()
            self._concessions.step()
        if now >= self._repeat_at:
            self._repeat_at = now + self._resend_s
            self._effects.repeat(self._lanes.get)
