"""Owns simulated time and the order of steps: simulated processes whose threads are greenlets.

One thing happens at a time. A thread runs until it pauses, or waits for a signal; what comes next, and how much
later, is drawn from the seed. A process that dies ends its threads where they stand; what they do while they are
unwound has no effect, because everything that lies outside a process asks first whether it still lives.
"""

import heapq
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from math import log

from greenlet import GreenletExit, getcurrent, greenlet

ASK_EVERY_S = 1.0
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


class Death(BaseException):
    """The simulated process ended at this point, as by `kill -9`: nothing catches it."""


class Signal:
    """Something that threads wait for: a change that somebody else makes."""

    def __init__(self) -> None:
        self.waiting: set[Thread] = set()


class Process:
    """A simulated process: alive, frozen or dead; its threads live and die with it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.frozen = False
        self.threads: list[Thread] = []

    def check(self) -> None:
        """Return if the process lives.

        Raises:
            Death: It does not: whoever asks is a thread of it that is being unwound.
        """
        if not self.alive:
            raise Death(self.name)


class Thread:
    """One simulated thread."""

    def __init__(self, process: Process, name: str, number: int, body: Callable[[], None]) -> None:
        self.process = process
        self.name = name
        self.number = number
        self.body = body
        self.turn = 0
        self.signal: Signal | None = None
        self.greenlet: greenlet | None = None

    def __hash__(self) -> int:
        return self.number


class Schedule:
    """The clock and the queue of everything that will happen.

    Args:
        chance: Decides which of two simultaneous steps comes first, and how long steps take.
        pace_s: Mean of the random time that is added to each pause, in seconds.
    """

    def __init__(self, chance: random.Random, pace_s: float) -> None:
        self._random = chance.random
        self._pace_s = pace_s
        self._queue: list[tuple[float, int, Thread | None, int, Callable[[], None] | None]] = []
        self._numbers = count()
        self._hub: greenlet | None = None
        self._held: list[Thread] = []
        self._held_until_s = 0.0
        self._limit_s = 0.0
        self._asked_at_s = 0.0
        self.now_s = 0.0
        self._epoch = (0.0, BEGINNING.timestamp())
        self.current: Thread | None = None
        self.errors: list[tuple[Thread, BaseException]] = []

    # --- time --------------------------------------------------------------------------------

    def monotonic(self) -> float:
        """Return simulated seconds that never go back."""
        return self.now_s

    def wall(self, wrong_by_s: float = 0.0) -> datetime:
        """Return what a clock shows that is wrong by so much, aware UTC."""
        return BEGINNING + timedelta(seconds=self.now_s + wrong_by_s)

    def seconds_at(self, wall: datetime) -> float:
        """Return the simulated second at which a clock that is right shows `wall`."""
        return (wall - BEGINNING).total_seconds()

    def epoch_s(self) -> float:
        """Return `wall` as seconds since the epoch."""
        if self._epoch[0] != self.now_s:  # asked for each key that is looked at
            self._epoch = (self.now_s, self.wall().timestamp())
        return self._epoch[1]

    # --- what threads do ---------------------------------------------------------------------

    def start(self, process: Process, name: str, body: Callable[[], None]) -> Thread:
        """Start a thread of a process; an exception that leaves `body` is kept in `errors`."""
        thread = Thread(process, name, next(self._numbers), body)
        thread.greenlet = greenlet(lambda: self._run(thread), parent=self._hub or getcurrent())
        process.threads.append(thread)
        self._push(thread, 0.0)
        return thread

    def pause(self, seconds: float = 0.0) -> None:
        """Let at least `seconds` pass, and others take their turns."""
        thread = self.current
        if thread is None:
            return  # outside of all threads time stands still
        thread.process.check()
        self._push(thread, seconds)
        self._leave(thread)

    def wait(self, signal: Signal, seconds: float) -> None:
        """Wait until somebody notifies `signal`, at most `seconds`."""
        thread = self.current
        if thread is None:
            return
        thread.process.check()
        thread.signal = signal
        signal.waiting.add(thread)
        self._push(thread, seconds)
        self._leave(thread)

    def notify(self, signal: Signal) -> None:
        """Let everybody who waits for `signal` go on soon."""
        waiting = sorted(signal.waiting, key=hash)
        for thread in waiting:
            self._forget_signal(thread)
            self._push(thread, 0.0)

    def at(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something at a time, outside of all processes."""
        heapq.heappush(self._queue, (max(seconds, self.now_s), next(self._numbers), None, 0, action))

    def hold(self, seconds: float) -> None:
        """Let `run` not be over before that time: something is under way until then."""
        self._held_until_s = max(self._held_until_s, seconds)

    # --- processes ---------------------------------------------------------------------------

    def kill(self, process: Process) -> None:
        """End a process where it stands; if it is the one that runs now, this does not return."""
        if not process.alive:
            return
        process.alive = False
        process.frozen = False
        here = self.current
        for thread in process.threads:
            self._forget_signal(thread)
            thread.turn += 1
            if thread is not here:
                self._unwind(thread)
        if here is not None and here.process is process:
            raise Death(process.name)

    def freeze(self, process: Process) -> None:
        """Stop a process, as SIGSTOP."""
        process.frozen = process.alive

    def thaw(self, process: Process) -> None:
        """Let a stopped process go on."""
        process.frozen = False
        held, self._held = self._held, []
        for thread in held:
            if thread.process is process:
                self._push(thread, 0.0)
            else:
                self._held.append(thread)

    # --- the hub -----------------------------------------------------------------------------

    def run(self, until: Callable[[], bool], limit_s: float) -> bool:
        """Let things happen until `until` says so; return whether it did before `limit_s`.

        `until` may cost a query: it is asked every `ASK_EVERY_S` simulated seconds.
        """
        self._hub = getcurrent()
        self._limit_s, self._asked_at_s = limit_s, -ASK_EVERY_S
        while self._queue and self.now_s < limit_s:
            if self._is_time_to_ask():
                self._asked_at_s = self.now_s
                if self.now_s >= self._held_until_s and until():
                    return True
            self._next()
        return until()

    def close(self) -> None:
        """Unwind everything that still stands somewhere."""
        for thread in [one for _, _, one, _, _ in self._queue if one is not None] + self._held:
            if thread.process.alive:
                thread.process.alive = False
            self._unwind(thread)

    def _next(self) -> None:
        at, _, thread, turn, action = heapq.heappop(self._queue)
        if thread is not None and turn != thread.turn:
            return  # it was woken before
        self.now_s = max(self.now_s, at)
        if action is not None:
            action()
            return
        assert thread is not None
        if not thread.process.alive:
            return
        if thread.process.frozen:
            self._held.append(thread)
            return
        self._forget_signal(thread)
        self._switch_to(thread)

    def _switch_to(self, thread: Thread) -> None:
        assert thread.greenlet is not None
        before, self.current = self.current, thread
        try:
            thread.greenlet.switch()
        finally:
            self.current = before

    def _leave(self, thread: Thread) -> None:
        if self._goes_on_at_once(thread):
            return
        assert self._hub is not None
        self._hub.switch()
        thread.process.check()

    def _is_time_to_ask(self) -> bool:
        return self.now_s - self._asked_at_s >= ASK_EVERY_S

    def _goes_on_at_once(self, thread: Thread) -> bool:
        """Whether the hub would come back to the same thread; then it is spared, and time has passed."""
        if self.now_s >= self._limit_s or self._is_time_to_ask():
            return False
        at, _, following, turn, _ = self._queue[0]
        if following is not thread or turn != thread.turn or thread.process.frozen:
            return False
        heapq.heappop(self._queue)
        self.now_s = max(self.now_s, at)
        self._forget_signal(thread)
        return True

    def _push(self, thread: Thread, seconds: float) -> None:
        thread.turn += 1
        more = -log(1.0 - self._random()) * self._pace_s  # expovariate(1.0), without its calls
        at = self.now_s + max(0.0, seconds) + more
        heapq.heappush(self._queue, (at, next(self._numbers), thread, thread.turn, None))

    def _forget_signal(self, thread: Thread) -> None:
        if thread.signal is not None:
            thread.signal.waiting.discard(thread)
            thread.signal = None

    def _unwind(self, thread: Thread) -> None:
        if thread.greenlet is None or thread.greenlet.dead or not thread.greenlet:
            return  # it has ended, or it never began
        before, self.current = self.current, thread
        try:
            parent, thread.greenlet.parent = thread.greenlet.parent, getcurrent()
            thread.greenlet.throw(Death(thread.process.name))
            del parent
        finally:
            self.current = before

    def _run(self, thread: Thread) -> None:
        try:
            thread.body()
        except (Death, GreenletExit):
            pass
        except BaseException as error:  # noqa: BLE001  the oracle reads it
            self.errors.append((thread, error))
