"""DolphinScheduler's #10854, at scale: the database goes away while tasks end, and no state is lost."""

import random
import threading
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster, temporary_cluster, wait_until
from tests.oracle import violations
from tests.scenario import at_rest, background, submit_all

pytestmark = pytest.mark.acceptance

RUNS = 100
TASK_S = 0.12


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """PostgreSQL, Redis, one master, one worker with eight children."""
    with temporary_cluster() as started:
        started.start_master()
        started.start_worker(concurrency=8)
        yield started


def test_database_restarted_every_few_seconds_loses_nothing(cluster: Cluster) -> None:
    """100 runs of 10 tasks under `immediate` restarts every 2-4 s for 60 s: all SUCCESS, each task ran once."""
    runs = submit_all(cluster, RUNS, TASK_S * 4)
    chance = random.Random(10854)  # noqa: S311  repeatable
    over = threading.Event()

    def restart_now_and_then() -> None:
        while not over.wait(chance.uniform(2.0, 4.0)):
            cluster.postgres.restart("immediate")

    with background(restart_now_and_then, over, seconds=60.0):
        pass
    cluster.wait_for(*runs, seconds=90)
    at_rest(cluster)

    assert violations(cluster, dict.fromkeys(runs, "SUCCESS"), crashed=False) == []


def test_database_away_for_twenty_seconds_loses_nothing(cluster: Cluster) -> None:
    """The server is stopped for 20 s while tasks run and end: nothing is lost, doubled or falsely lost."""
    runs = submit_all(cluster, 30, TASK_S)
    wait_until(lambda: "SUCCESS" in cluster.states(*runs).values(), seconds=30, what="the first run ended")

    cluster.postgres.stop("immediate")
    threading.Event().wait(20.0)  # the scenario itself: an outage of this length
    cluster.postgres.start()

    cluster.wait_for(*runs, seconds=60)
    at_rest(cluster)
    assert violations(cluster, dict.fromkeys(runs, "SUCCESS"), crashed=False) == []
