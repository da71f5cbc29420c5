"""The spool: what must survive the process, and what forks must not break."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.worker.spool import ANSWERS_FOR, Spool
from orchestrator.worker.spool_file import SpoolFile, SpoolUnwritable
from tests.unit.worker.twins import make_facts, started

OLD = """
CREATE TABLE event (
    spool_id INTEGER PRIMARY KEY AUTOINCREMENT, incarnation TEXT NOT NULL, slot INTEGER NOT NULL,
    order_id TEXT NOT NULL, payload BLOB NOT NULL, entry TEXT, written_at REAL NOT NULL
);
CREATE TABLE attempt (
    order_id TEXT PRIMARY KEY, incarnation TEXT NOT NULL, pid INTEGER NOT NULL, thread INTEGER,
    process_group INTEGER, group_started REAL, deadline REAL, ending TEXT, ending_at REAL
) WITHOUT ROWID;
INSERT INTO event(incarnation, slot, order_id, payload, written_at) VALUES ('before', 3, 'a', 'payload', 1.0);
INSERT INTO attempt(order_id, incarnation, pid) VALUES ('a', 'before', 1);
"""


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """An empty spool of the incarnation `now`."""
    return Spool(tmp_path / "spools" / "w@h.db", "now")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="there is no list of open files")
def test_a_read_leaves_nothing_open_for_a_fork(tmp_path: Path) -> None:
    """A child that inherits the open file shares the parent's locks: what it writes would never be seen."""
    path = tmp_path / "w@h.db"
    file = SpoolFile(path)
    rows = file.run("SELECT name FROM sqlite_schema")

    file.before_fork()
    try:
        open_files = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
    finally:
        file.after_fork()
    assert len(list(rows)) > 1
    assert not [name for name in open_files if name.startswith(str(path))]


def test_spool_of_an_older_program_is_gone_on_with(tmp_path: Path) -> None:
    """Its unsent report is there, it answers for its order, and new ones are written beside it."""
    path = tmp_path / "w@h.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLD)

    spool = Spool(path, "now")
    running = started(spool, "b")

    event = spool.event(1)
    assert event is not None
    assert (event.slot, event.order_id) == (3, "a")
    assert running > 1
    assert SpoolFile(path).run(ANSWERS_FOR, ("a", "a"))
    assert SpoolFile(path).run(ANSWERS_FOR, ("b", "b"))


def test_event_stays_until_its_verdict(spool: Spool) -> None:
    """An event is kept with what it needs to be sent again, and goes with its verdict."""
    spool_id = spool.write(3, "a", b"payload")
    spool.sent(spool_id, "5-0")

    event = spool.event(spool_id)
    assert event is not None
    assert (event.slot, event.order_id, event.payload, event.entry) == (3, "a", b"payload", "5-0")
    spool.settle([spool_id])
    assert spool.event(spool_id) is None


def test_spool_ids_are_never_used_twice(spool: Spool) -> None:
    """A late verdict about a settled event must not delete a newer one."""
    first = spool.write(0, "a", b"")
    spool.settle([first])

    assert spool.write(0, "b", b"") > first


def test_attempt_is_listed_until_the_verdict_on_its_end(spool: Spool) -> None:
    """Heartbeats name what runs and what has ended without a verdict."""
    running = started(spool, "a")
    spool.settle([running])
    assert spool.claimed() == ["a"]

    result = spool.write(0, "a", b"result")
    assert (spool.claimed(), spool.attempts()) == (["a"], [])

    spool.settle([result])
    assert spool.claimed() == []


def test_refused_attempt_leaves_nothing(spool: Spool) -> None:
    """A refused claim takes the attempt and its RUNNING event back."""
    spool_id = spool.begin(make_facts(order_id="a"), 0, b"running")
    spool.forget(spool_id)

    assert (spool.claimed(), spool.count(), spool.attempts()) == ([], 0, [])


def test_attempt_is_not_listed_before_its_claim_is_won(spool: Spool) -> None:
    """A heartbeat that renewed it would take the claim from the very child that is asking for it."""
    spool_id = spool.begin(make_facts(order_id="a"), 0, b"running")
    assert (spool.claimed(), spool.events(up_to=1000)) == ([], [])

    spool.won(spool_id, "1-0", make_facts(order_id="a"))

    assert spool.claimed() == ["a"]


def test_second_delivery_leaves_the_running_attempt_alone(spool: Spool) -> None:
    """A repeated message of an order that runs here is refused and takes nothing of the first one with it."""
    started(spool, "a")
    again = spool.begin(make_facts(order_id="a", pid=77), 0, b"running")
    spool.forget(again)

    (facts,) = spool.attempts()
    assert (spool.claimed(), facts.pid) == (["a"], make_facts(order_id="a").pid)


def test_first_ending_wins(spool: Spool) -> None:
    """An attempt is ended for one reason only."""
    spool.begin(make_facts(order_id="a"), 0, b"")

    assert spool.end_attempt("a", "timeout", 1.0)
    assert not spool.end_attempt("a", "stop", 2.0)
    assert not spool.end_attempt("unknown", "stop", 2.0)
    assert spool.ending("a") == "timeout"


def test_successor_inherits_what_was_left(tmp_path: Path) -> None:
    """Events of an earlier incarnation are told from one's own."""
    before = Spool(tmp_path / "s.db", "before")
    before.write(0, "a", b"old")
    now = Spool(tmp_path / "s.db", "now")
    now.write(0, "b", b"new")

    assert [one.payload for one in now.inherited()] == [b"old"]


def test_events_are_returned_oldest_first_and_only_old_ones(tmp_path: Path) -> None:
    """The re-sender looks at what waits for long, in the order in which it was written."""
    spool = Spool(tmp_path / "s.db", "now")
    ids = [spool.write(0, "a", payload) for payload in (b"1", b"2", b"3")]

    assert [one.payload for one in spool.events(up_to=ids[1])] == [b"1", b"2"]
    assert spool.newest() == ids[2]


def test_forked_child_and_parent_both_write(spool: Spool) -> None:
    """Every process opens the file for itself; nothing is inherited open."""
    spool.write(0, "parent", b"")
    pid = os.fork()
    if pid == 0:
        try:
            spool.write(0, "child", b"")
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    spool.write(0, "parent again", b"")

    assert spool.count() == 3


def test_unwritable_file_is_told_apart(tmp_path: Path) -> None:
    """A disk that is full leaves as SpoolUnwritable, and nothing is half-written."""
    spool = Spool(tmp_path / "s.db", "now")
    spool.write(0, "a", b"")
    connection = sqlite3.connect(tmp_path / "s.db")
    connection.execute("DROP TABLE event")
    connection.close()

    with pytest.raises(SpoolUnwritable):
        spool.begin(make_facts(order_id="b"), 0, b"")
    assert spool.attempt("b") is None


def test_looking_for_an_order_reads_no_others(tmp_path: Path) -> None:
    """A worker whose master is down has thousands of events; a file of an earlier release gets the index, too."""
    path = tmp_path / "w@h.db"
    before = Spool(path, "before")
    before.write(0, "a", b"")
    before.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP INDEX event_by_order")

    spool = Spool(path, "now")
    assert (spool.answers_for("a"), spool.answers_for("b")) == (True, False)
    spool.close()
    with closing(sqlite3.connect(path)) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {ANSWERS_FOR}", ("a", "a"))]
    assert not [line for line in plan if line.startswith("SCAN")], plan
