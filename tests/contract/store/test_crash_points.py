"""A master that dies at a named point of its commit: everything of the batch is there, or nothing."""

import pytest

from orchestrator.store.session import open_engine
from tests.contract.store.bench import OWNER, make_bench
from tests.programs import run_text

MASTER = """
import sys
from orchestrator import crash
from orchestrator.core.changes import InstanceChange, Leases
from orchestrator.store.session import open_engine
from tests.contract.store.bench import Bench, make_alert, make_attempt

url, owner, number, point = sys.argv[1:]
leases = Leases(owner=owner, epochs=dict.fromkeys(range(64), 1))
bench = Bench(engine=open_engine(url, "master"), leases=leases)
run = bench.load(int(number))
crash.arm(point)
bench.commit(
    InstanceChange(head=run.head, revision=run.revision, new=(make_attempt(run, "b", sequence=2),)),
    alerts=(make_alert(run),),
)
"""


@pytest.mark.parametrize(
    ("point", "written"),
    [("store.before_flush", False), ("store.after_flush", False), ("store.after_commit", True)],
)
def test_killed_master_leaves_all_of_a_batch_or_nothing(
    database_url: str, point: str, *, written: bool
) -> None:
    """As after `kill -9`: the database decides, and the next master can go on at once."""
    bench = make_bench(open_engine(database_url, "master"))
    run = bench.run_with("a")
    before = bench.contents()

    ended = run_text(MASTER, database_url, OWNER, str(run.head.id), point)

    assert ended == 137
    loaded = bench.load(run.head.id)
    assert (len(loaded.attempts), loaded.revision) == ((2, 2) if written else (1, 1))
    assert written or bench.contents() == before
    bench.run_with("c")
    bench.engine.dispose()
