"""Owns the way a python task asks to be called again later, so that waiting holds no worker."""

from orchestrator.errors import OrchestratorError


class Defer(OrchestratorError):
    """Raised by a task: end this hand-over, and call the same attempt again after some seconds.

    Args:
        seconds: How long to wait, from 0.
    """

    def __init__(self, seconds: float) -> None:
        if not 0 <= seconds < float("inf"):
            raise ValueError(f"Defer takes seconds from 0, not {seconds!r}")
        self.seconds = float(seconds)
        super().__init__(f"call again in {self.seconds:g} s")
