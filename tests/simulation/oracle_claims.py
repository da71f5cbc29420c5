"""Owns what must hold when a claim is given: its message is of the present life of Redis (PROTOCOL 2)."""

from collections.abc import Callable, Iterator

from orchestrator.broker.keys import Keys
from tests.simulation.redis_server import SimulatedServer


def watch(server: SimulatedServer, keys: Keys, wrong: list[str]) -> Callable[[bytes, bytes], None]:
    """Return what is to be called at each claim that was given; it puts into `wrong` what is wrong with it.

    Args:
        server: The simulated Redis, as it was when the claim was given.
        keys: Names its keys.
        wrong: Is told.
    """
    return lambda claim, generation: wrong.extend(_faults(server, keys, claim, generation))


def _faults(server: SimulatedServer, keys: Keys, claim: bytes, generation: bytes) -> Iterator[str]:
    """Yield if Redis may have forgotten since a message was sent who had claimed it, or who had recalled it."""
    known = server.peek(keys.generation()) or {}
    if known.get(b"generation") != generation:
        yield f"O3: {claim.decode()} is given for a message of another generation"
    elif known.get(b"run_id") != server.run_id.encode():
        yield f"O3: {claim.decode()} is given, and no master has noticed that Redis restarted"
