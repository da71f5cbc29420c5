"""Owns what `run` says about runs that an earlier `run` of the same home left unfinished: they go on, too."""

from collections.abc import Sequence
from typing import Any

from orchestrator.cli.output import print_message
from orchestrator.config import Settings
from orchestrator.service import runs
from orchestrator.service.backend import Backend

MOST_NAMED = 5


def find_leftovers(backend: Backend, private: Settings) -> list[dict[str, Any]]:
    """Return the unfinished runs that a set-up which has just been started finds and goes on with.

    Args:
        backend: The services of the set-up.
        private: The settings without any named service: in a shared database others' runs go on by themselves.
    """
    if backend.settings.database != private.database:
        return []
    return runs.going_on(backend)


def say_what_goes_on(leftovers: Sequence[dict[str, Any]]) -> None:
    """Tell the user that these runs go on; nobody shall be surprised by what their tasks do."""
    if leftovers:
        first = leftovers[0]["id"]
        print_message(
            f"continuing {_named(leftovers)}, left unfinished by an earlier `run`: tasks that were running start"
            f" again in a new attempt (orchestrator runs stop {first})"
        )


def say_what_is_left(backend: Backend, leftovers: Sequence[dict[str, Any]]) -> None:
    """Tell the user which of the runs have still not ended."""
    still = [one for one in leftovers if not runs.is_final(runs.show(backend, one["id"]))]
    if still:
        print_message(f"still unfinished: {_named(still)}; the next `run` or `up` goes on with it")


def _named(found: Sequence[dict[str, Any]]) -> str:
    names = [f"run {one['id']} of {one['workflow']}" for one in found[:MOST_NAMED]]
    more = [f"{len(found) - MOST_NAMED} more"] if len(found) > MOST_NAMED else []
    return ", ".join([*names, *more])
