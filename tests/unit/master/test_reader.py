"""What the reader finds that somebody else had taken."""

from collections.abc import Iterable

from orchestrator.broker.stream import Entry
from orchestrator.master.inbox import Inbox
from orchestrator.master.items import PoisonItem
from orchestrator.master.reader import STRAY_S, Reader
from orchestrator.master.silence import Silence
from orchestrator.testing.redis import MemoryStreams

SLOT = 3


class SharedStreams(MemoryStreams):
    """Streams from which another consumer reads too."""

    def __init__(self) -> None:
        super().__init__()
        self.of_another: list[Entry] = []

    def steal(self) -> None:
        """Let the other consumer read what is new."""
        self.of_another.extend(super().read([SLOT], count=10))
        for entry in self.of_another:
            del self._pending[SLOT][entry.id]

    def claim_pending(self, slots: Iterable[int]) -> int:
        """Take over what the other one has read."""
        taken, self.of_another = self.of_another, []
        for entry in taken:
            self._pending.setdefault(entry.slot, {})[entry.id] = entry
        return super().claim_pending(slots) + len(taken)


def test_what_a_zombie_read_after_the_takeover_is_taken_from_it() -> None:
    """It stands in the stream, so that no worker sends it again; and the zombie will never handle it."""
    # Teeth: fails when entries of others are taken over only when the reader begins.
    now = 100.0
    streams, inbox = SharedStreams(), Inbox(100)
    reader = Reader(streams, inbox, Silence(lambda: now, 10.0), [SLOT], lambda: now, on_wake=lambda: None)
    while not inbox.take_ends():
        reader.step(block_ms=0)

    streams.add(SLOT, b"an event")
    streams.steal()
    reader.step(block_ms=0)
    assert len(inbox) == 0

    now += STRAY_S
    reader.step(block_ms=0)

    assert [type(item) for item in inbox.take_reports(10)] == [PoisonItem]
