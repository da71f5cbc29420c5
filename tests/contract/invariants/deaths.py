"""Owns where the master may die in a story: at every crash point at which another one would find something new."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event

from orchestrator import crash
from tests.world import Killed, World

Observer = Callable[[str], object]


@contextmanager
def dying_at(number: int | None, *observers: Observer) -> Iterator[list[str]]:
    """The master dies at the crash point that is reached as the `number`-th from here; yields those reached."""
    reached: list[str] = []

    def observe(point: str) -> None:
        reached.append(point)
        for observer in observers:
            observer(point)
        if len(reached) == number:
            raise Killed

    crash.observe(observe)
    try:
        yield reached
    finally:
        crash.observe(None)


@contextmanager
def counting_commits(engine: Engine) -> Iterator[list[object]]:
    """Yield what grows by one with every transaction that the database keeps, whether it wrote anything or not."""
    kept: list[object] = []

    def at_once(connection: Connection, *_rest: Any) -> None:
        if getattr(connection.connection.dbapi_connection, "autocommit", False):
            kept.append(None)

    listeners: dict[str, Callable[..., object]] = {"commit": kept.append, "after_cursor_execute": at_once}
    for name, listener in listeners.items():
        event.listen(engine, name, listener)
    try:
        yield kept
    finally:
        for name, listener in listeners.items():
            event.remove(engine, name, listener)


def different_deaths(world: World, tell: Callable[[], object], *observers: Observer) -> dict[int, str]:
    """Tell a story in which nobody dies; return at which crash points a death would leave different worlds.

    What a master knows dies with it. So all deaths are one between which nothing was kept by the database, said or
    read in the streams, published, claimed or run, no time passed, and the story did not go on: another master
    would find the very same, and do the very same. Of each such row the last is returned, which is the one in the
    midst of a transaction. A product that does something elsewhere than it should has other rows.

    Returns:
        Numbers of the points, counted from the beginning of the story, and their names.
    """
    deaths: dict[int, str] = {}
    before: object = None
    with counting_commits(world.rig.engine) as kept:

        def note(point: str) -> None:
            nonlocal before
            number, left = len(reached), (len(kept), _outside(world))
            if left == before:
                deaths.pop(number - 1)
            deaths[number], before = point, left

        with dying_at(None, *observers, note) as reached:
            tell()
    return deaths


def sampled(world: World, deaths: dict[int, str], every: int) -> dict[int, str]:
    """Return all deaths on SQLite, and each `every`-th where a story takes its time."""
    step = 1 if world.rig.engine.dialect.name == "sqlite" else every
    return dict(list(deaths.items())[::step])


def _outside(world: World) -> tuple[object, ...]:
    """Return all that does not die with a master but the rows; verdicts and dead letters only ever get more."""
    streams, worker = world.streams, world.rig.worker
    waiting = repr((streams._new, streams._pending)), len(streams.acknowledged), len(streams.dead)
    said = repr((world.broker, worker.ran, world.rig.beats))
    return (*waiting, said, world.rig.clock.now(), world.settled)
