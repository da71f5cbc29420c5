"""Owns the inbox: the bounded meeting point of the reader, the messenger and the loop."""

from collections import deque
from collections.abc import Iterable
from threading import Condition

from orchestrator.core.event import TaskDispatched, TaskRunning
from orchestrator.master.items import Item, NoticeItem, ReportItem
from orchestrator.master.request import Request

PATIENCE_S = 0.02
"""How long news that unblocks nothing waits for what comes behind it."""

LULL_S = 0.05
"""How long any news may wait while the workers have enough to do."""

MANY = 200
"""So much news is not waited with."""


class Inbox:
    """Holds what waits for the loop. Reports are bounded: beyond the limit the reader waits.

    Args:
        limit: Most reports held.

    Attributes:
        relaxed: No worker waits for the master's next decision: bigger batches are cheaper, and nobody idles.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._reports: deque[Item] = deque()
        self._notices: deque[NoticeItem | ReportItem] = deque()
        self._marks: deque[tuple[int, tuple[int, ...], float]] = deque()
        self._number_put = 0
        self._number_taken = 0
        self._requests: list[Request] = []
        self._changed = Condition()
        self._awake = False
        self._urgent = False
        self.relaxed = False

    def put_reports(self, items: Iterable[Item]) -> None:
        """Add reports and wake the loop."""
        with self._changed:
            for item in items:
                self._reports.append(item)
                self._number_put += 1
                self._urgent = self._urgent or _is_urgent(item)
            self._changed.notify_all()

    def read_to_end(self, slots: Iterable[int], began: float) -> None:
        """Note that all that stood in these streams at monotonic time `began` has been put here."""
        with self._changed:
            mark = (self._number_put, tuple(slots), began)
            if self._marks and self._marks[-1][:2] == mark[:2]:
                self._marks.pop()
            self._marks.append(mark)

    def take_ends(self) -> list[tuple[tuple[int, ...], float]]:
        """Return and remove the notes of `read_to_end` whose reports were all taken."""
        with self._changed:
            taken = []
            while self._marks and self._marks[0][0] <= self._number_taken:
                taken.append(self._marks.popleft()[1:])
            return taken

    def put_notices(self, items: Iterable[NoticeItem | ReportItem]) -> None:
        """Add notices and wake the loop; they are the master's own and never refused."""
        with self._changed:
            for item in items:
                self._notices.append(item)
                self._urgent = self._urgent or _is_urgent(item)
            self._changed.notify_all()

    def put_requests(self, requests: Iterable[Request]) -> None:
        """Add people's requests and wake the loop."""
        with self._changed:
            self._requests.extend(requests)
            self._awake = True
            self._changed.notify_all()

    def take_requests(self) -> list[Request]:
        """Return and remove all requests."""
        with self._changed:
            taken, self._requests = self._requests, []
            return taken

    def wake(self) -> None:
        """Let the loop look round although nothing new is here."""
        with self._changed:
            self._awake = True
            self._changed.notify_all()

    def wait_for_room(self, timeout_s: float) -> int:
        """Return how many more reports may come in, waiting up to `timeout_s` for room; 0 when there is none."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._reports) < self._limit, timeout_s)
            return max(self._limit - len(self._reports), 0)

    def wait(self, timeout_s: float) -> None:
        """Wait until something is here, somebody called `wake`, or `timeout_s` is over.

        RUNNING and DISPATCH alone are given a moment: the RESULT that often follows is then one write with them.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._reports or self._notices or self._awake, timeout_s)
            if timeout_s > 0 and (self._reports or self._notices):
                self._changed.wait_for(self._is_pressing, LULL_S if self.relaxed else PATIENCE_S)
            self._awake = False

    def lull(self) -> None:
        """Wait a moment if no worker waits for the master: the next read then brings more at once."""
        with self._changed:
            if self.relaxed:
                self._changed.wait_for(lambda: self._awake, LULL_S)

    def rest(self, timeout_s: float) -> None:
        """Wait until `timeout_s` is over, whatever comes: what is here cannot be handled before."""
        with self._changed:
            self._changed.wait_for(lambda: False, timeout_s)

    def take_reports(self, most: int) -> list[Item]:
        """Return and remove up to `most` reports, oldest first."""
        with self._changed:
            taken = [self._reports.popleft() for _ in range(min(most, len(self._reports)))]
            self._number_taken += len(taken)
            self._urgent = self._urgent and bool(self._reports or self._notices)
            self._changed.notify_all()
            return taken

    def take_notices(self) -> list[NoticeItem | ReportItem]:
        """Return and remove all notices, oldest first."""
        with self._changed:
            taken = list(self._notices)
            self._notices.clear()
            self._urgent = self._urgent and bool(self._reports)
            return taken

    def __len__(self) -> int:
        with self._changed:
            return len(self._reports) + len(self._notices)

    def _is_pressing(self) -> bool:
        waiting = len(self._reports) + len(self._notices)
        return self._awake or waiting >= MANY or (self._urgent and not self.relaxed)


def _is_urgent(item: Item) -> bool:
    """Whether somebody waits for what becomes of `item`."""
    return not (isinstance(item, ReportItem) and isinstance(item.event, TaskRunning | TaskDispatched))
