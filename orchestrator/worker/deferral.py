"""Owns `Defer`: how a python task asks to be called again later."""

import math


class Defer(Exception):
    """Raised by a python task, a sensor's way: free the slot, dispatch the same attempt again later.

    Args:
        seconds: How long to wait, 0 or more.
    """

    def __init__(self, seconds: float) -> None:
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ValueError("Defer needs a number of seconds, 0 or more")
        self.seconds = float(seconds)
        super().__init__(f"again in {seconds} s")
