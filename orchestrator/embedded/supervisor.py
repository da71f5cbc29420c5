"""Owns the supervisor: one process per home that starts what is missing, watches it, and ends it all."""

import os
import selectors
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import structlog

from orchestrator.embedded.children import Child, ChildSpec, end_all
from orchestrator.embedded.door import Line, open_door
from orchestrator.embedded.guests import Guests
from orchestrator.embedded.home import Home
from orchestrator.embedded.leftovers import remember
from orchestrator.embedded.servers import Servers
from orchestrator.embedded.status import Status
from orchestrator.errors import OrchestratorError

log = structlog.get_logger(__name__)

COMPLETE_S = 2.0
"""How often it is looked whether somebody is missing."""

LOOK_S = 0.03
"""How often signs of life are looked for until everything is ready."""

IDLE_S = 1.0
"""How often the servers are looked at when nothing happens."""

FIRST_GUEST_WITHIN_S = 15.0
MOST_FAILED_STARTS = 4
USER_MISTAKE = 2


class Signs(Protocol):
    """Knows which masters and workers show signs of life in Redis."""

    def masters(self, pids: Sequence[int]) -> bool:
        """Return whether the masters with these process ids (none: any master) show that they live."""
        ...

    def workers(self, pids: Sequence[int]) -> bool:
        """Return whether the workers with these process ids show that they live."""
        ...


class Crew(Protocol):
    """Says which children a set-up needs."""

    def first(self) -> list[ChildSpec]:
        """Return the missing children that need not wait for a guest."""
        ...

    def wanted(self, wish: Mapping[str, Any]) -> list[ChildSpec]:
        """Return the missing children that a guest's wish asks for."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the supervisor needs from outside.

    Attributes:
        crew: Makes the crew when both URLs are known: database, then Redis.
        signs: Makes the signs of life for a Redis URL.
        announce: Called with every new status.
        clock: Monotonic seconds.
    """

    crew: Callable[[str, str], Crew]
    signs: Callable[[str], Signs]
    announce: Callable[[Status], None]
    clock: Callable[[], float]


class Supervisor:
    """Runs one set-up from its start to its end.

    Args:
        home: Its home; the caller holds the lock.
        servers: The private servers that are missing.
        surroundings: What it needs from outside.
        logs: Directory for the children's output, or `None` for the supervisor's own.
        wishes: What is wanted without any guest; such a set-up stays until a signal.
    """

    def __init__(
        self,
        *,
        home: Home,
        servers: Servers,
        surroundings: Surroundings,
        logs: Path | None,
        wishes: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self._home = home
        self._servers = servers
        self._around = surroundings
        self._permanent = bool(wishes)
        self._logs = logs
        self._children: list[Child] = []
        self._wishes = list(wishes)
        self._status = Status(database_url="")
        self._selector = selectors.DefaultSelector()
        self._leash, self._leash_end = os.pipe()
        self._ending = False
        self._started_at = surroundings.clock()
        self._completed_at = self._started_at
        self._crew: Crew | None = None
        self._signs: Signs | None = None
        self._guests: Guests

    def run(self) -> int:
        """Start everything, stay until nobody needs it, end everything; return the exit code."""
        listener, token = open_door(self._home)
        self._guests = Guests(listener, token, self._on_wish, permanent=self._permanent)
        self._selector.register(self._guests, selectors.EVENT_READ)
        self._listen_for_signals()
        try:
            self._start_or_say_why_not()
            while not self._is_over():
                self._step()
        finally:
            self._end()
        return USER_MISTAKE if self._status.error else 0

    def _start_or_say_why_not(self) -> None:
        try:
            self._servers.start()
            self._man()
        except (OrchestratorError, OSError) as error:
            if not isinstance(error, OrchestratorError):  # those say all there is to say in their message
                log.exception("set_up.failed")
            self._say(replace(self._status, error=str(error)))

    def _man(self) -> None:
        """Take on the crew for the servers' present URLs."""
        redis_url = self._servers.redis_url
        self._crew = self._around.crew(self._servers.database_url, redis_url)
        self._signs = self._around.signs(redis_url)
        self._complete(self._crew)
        known = replace(self._status, database_url=self._servers.database_url, redis_url=redis_url)
        self._say(replace(known, has_master=False, ready=False))

    def _complete(self, crew: Crew) -> None:
        """Take on whoever is missing: at the beginning, and when others who did the work have gone."""
        self._completed_at = self._around.clock()
        for spec in crew.first():
            self._take_on(spec)
        for wish in self._wishes:
            self._grant(crew, wish)

    def _step(self) -> None:
        """One bounded piece of work: whoever speaks is heard, whatever ended is seen to."""
        for key, _ in self._selector.select(self._pause_s()):
            if key.fileobj is self._guests:
                self._welcome(self._guests.accept())
            elif isinstance(key.fileobj, Line):
                self._hear(key.fileobj)
            else:
                key.data.recv(4096)
        if self._servers.revive():
            self._move_to_new_servers()
        self._look_after_children()
        self._look_for_readiness()
        if self._crew is not None and self._around.clock() - self._completed_at > COMPLETE_S:
            self._complete(self._crew)

    def _pause_s(self) -> float:
        if not self._status.ready:
            return LOOK_S
        now = self._around.clock()
        waits = [child.restart_at - now for child in self._children if child.restart_at is not None]
        return max(0.0, min([IDLE_S, *waits]))

    def _is_over(self) -> bool:
        waited = self._around.clock() - self._started_at
        if self._status.error:  # whoever started this set-up is told why it ends
            return self._permanent or self._guests.ever or waited > FIRST_GUEST_WITHIN_S
        if self._ending or self._permanent or len(self._guests):
            return self._ending
        return self._guests.ever or waited > FIRST_GUEST_WITHIN_S

    def _welcome(self, line: Line | None) -> None:
        if line is not None:
            self._selector.register(line, selectors.EVENT_READ)
            line.send(self._status.to_document())

    def _hear(self, line: Line) -> None:
        if not self._guests.hear(line):
            self._selector.unregister(line)

    def _on_wish(self, wish: Mapping[str, Any]) -> None:
        self._wishes.append(wish)
        if self._crew is not None:
            self._grant(self._crew, wish)

    def _grant(self, crew: Crew, wish: Mapping[str, Any]) -> None:
        for spec in crew.wanted(wish):
            self._take_on(spec)

    def _take_on(self, spec: ChildSpec) -> None:
        path = self._logs / f"{spec.name}.log" if self._logs is not None else None
        child = Child(spec, leash=self._leash, log=path, clock=self._around.clock)
        child.start()
        self._children.append(child)
        self._say(replace(self._status, ready=False))

    def _move_to_new_servers(self) -> None:
        """A server came back under another address: who knows only the old one is replaced."""
        end_all(self._children, self._around.clock)
        self._children.clear()
        self._man()

    def _look_after_children(self) -> None:
        now = self._around.clock()
        for child in self._children:
            if child.look():
                log.warning("child.ended", child=child.spec.name, exit_code=child.exit_code)
                self._give_up_on(child)
            elif child.restart_at is not None and child.restart_at <= now:
                child.start()
                self._say(self._status)

    def _give_up_on(self, child: Child) -> None:
        """End the set-up if `child` will never start: a mistake in the settings, or no start ever worked."""
        hopeless = child.exit_code == USER_MISTAKE or child.quick_deaths >= MOST_FAILED_STARTS
        if hopeless and not child.was_ready:
            self._say(replace(self._status, error=child.last_words()))

    def _look_for_readiness(self) -> None:
        if self._status.ready or self._signs is None:
            return
        pids = self._pids_by_role()
        has_master = self._signs.masters(pids["master"])
        ready = (
            has_master and all(child.pid for child in self._children) and self._signs.workers(pids["worker"])
        )
        if ready:
            for child in self._children:
                child.was_ready = True
        if ready or has_master != self._status.has_master:
            self._say(replace(self._status, has_master=has_master, ready=ready))

    def _pids_by_role(self) -> dict[str, list[int]]:
        pids: dict[str, list[int]] = {"master": [], "worker": []}
        for child in self._children:
            if child.pid is not None:
                pids[child.spec.role].append(child.pid)
        return pids

    def _say(self, status: Status) -> None:
        """Make `status` known to guests and to later supervisors."""
        pids = {**self._servers.pids, **self._pids_by_role()}
        self._status = replace(status, pids=pids)
        remember(self._home.children, [pid for one in pids.values() for pid in _as_list(one)])
        self._guests.tell(self._status.to_document())
        self._around.announce(self._status)

    def _listen_for_signals(self) -> None:
        """Let signals (the end of a child is one) wake the selector."""
        ear, mouth = socket.socketpair()
        ear.settimeout(0)
        mouth.settimeout(0)
        signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
        self._mouth = mouth  # kept open: the signal module knows only its number
        self._selector.register(ear, selectors.EVENT_READ, data=ear)
        signal.signal(signal.SIGCHLD, _wake_only)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._ending = True

    def _end(self) -> None:
        """End the children, then the servers they use; then tell the last guest."""
        self._home.forget_door()
        self._guests.close()
        end_all(self._children, self._around.clock)
        self._servers.stop()
        self._home.forget()
        self._guests.take_leave()
        self._selector.close()
        os.close(self._leash_end)
        os.close(self._leash)


def _wake_only(_number: int, _frame: FrameType | None) -> None:
    """A handler, so that the signal is not ignored: the wake-up descriptor does the rest."""


def _as_list(pids: Any) -> list[int]:
    return pids if isinstance(pids, list) else [pids] if pids is not None else []
