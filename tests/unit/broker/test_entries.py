"""Stream entries: whatever stands in the fields, the reader gets an entry and goes on."""

import pytest

from orchestrator.broker.stream import _entry


@pytest.mark.parametrize("spool_id", [b"", b"-1", b"x", b"9" * 30, b"9" * 5000], ids=len)
def test_an_entry_with_a_spool_id_that_is_none_is_read_all_the_same(spool_id: bytes) -> None:
    """A forged number must end neither the reader (Python refuses 5,000 digits) nor a worker's spool (64 bits)."""
    entry = _entry(3, b"1-0", {b"w": b"w1@host", b"s": spool_id, b"p": b"{}"})

    assert (entry.worker, entry.spool_id) == ("w1@host", 0)


def test_an_entry_knows_the_spool_id_it_was_sent_with() -> None:
    """The verdict names it."""
    assert _entry(3, b"1-0", {b"s": b"123"}).spool_id == 123
