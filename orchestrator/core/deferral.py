"""Owns the way a python task asks to be called again later, so that waiting holds no worker."""

from collections.abc import Mapping

from orchestrator.errors import OrchestratorError


class Defer(OrchestratorError):
    """Raised by a task: end this hand-over, and call the same attempt again after some seconds.

    Args:
        seconds: How long to wait, from 0.
        external_ids: What the attempt's next hand-over shall find in its order; nothing leaves what stands there.
    """

    def __init__(self, seconds: float, *, external_ids: Mapping[str, str] | None = None) -> None:
        if not 0 <= seconds < float("inf"):
            raise ValueError(f"Defer takes seconds from 0, not {seconds!r}")
        self.seconds = float(seconds)
        self.external_ids = dict(external_ids or {})
        super().__init__(f"call again in {self.seconds:g} s")
