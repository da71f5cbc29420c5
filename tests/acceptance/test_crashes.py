"""`kill -9` of every process at the worst moments: the next one goes on, and nothing finished runs twice."""

import signal
from collections.abc import Iterator

import pytest

from orchestrator.crash import POINTS
from tests.cluster import Cluster, temporary_cluster, wait_until
from tests.oracle import violations
from tests.scenario import at_rest, submit_all

pytestmark = pytest.mark.acceptance

MASTER_POINTS = [point for point in POINTS if point.startswith(("master.", "store."))]
WORKER_POINTS = [point for point in POINTS if point.startswith("worker.")]
TIMES = {"store.after_flush": 1}
"""Which time a point is reached kills, if not the fourth: most batches are one call, without this point."""

CRASHED = 137
SHARED = "shared"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """PostgreSQL and Redis for the whole module; each test starts the processes it kills."""
    with temporary_cluster({"ORCHESTRATOR_LEASE_SECONDS": "2", "ORCHESTRATOR_LOST_SECONDS": "3"}) as started:
        yield started


@pytest.fixture(autouse=True)
def clean(cluster: Cluster) -> Iterator[None]:
    """End what a test started, but the worker that those share who only kill masters."""
    cluster.ledger.unlink(missing_ok=True)
    yield
    for name in list(cluster.processes):
        if name != SHARED:
            cluster.stop(name)


@pytest.fixture
def shared_worker(cluster: Cluster) -> None:
    """One worker that lives as long as nobody ends it."""
    if SHARED not in cluster.processes:
        cluster.start_worker(SHARED)


@pytest.fixture
def no_worker(cluster: Cluster) -> None:
    """No worker runs: the test brings its own."""
    if SHARED in cluster.processes:
        cluster.stop(SHARED)


@pytest.mark.usefixtures("shared_worker")
@pytest.mark.parametrize("point", MASTER_POINTS)
def test_master_that_dies_at_a_crash_point_is_taken_over(cluster: Cluster, point: str) -> None:
    """The next master goes on from the rows alone: every task ran once, everything is delivered."""
    runs = submit_all(cluster, 3, 0.02)
    doomed = cluster.start_master("doomed", ORCHESTRATOR_CRASH_AT=f"{point}:{TIMES.get(point, 4)}")
    wait_until(lambda: doomed.poll() is not None, seconds=30, what=f"the master crashed at {point}")
    assert doomed.returncode == CRASHED
    cluster.processes.pop("doomed")

    cluster.start_master()

    cluster.wait_for(*runs, seconds=40)
    at_rest(cluster)
    assert mine(violations(cluster, dict.fromkeys(runs, "SUCCESS"), crashed=False), runs) == []


@pytest.mark.usefixtures("shared_worker")
def test_wiped_redis_loses_nothing(cluster: Cluster) -> None:
    """FLUSHALL in the middle of runs: groups, claims and messages are made again, spools are sent again."""
    cluster.start_master()
    runs = submit_all(cluster, 5, 0.2)
    wait_until(cluster.ledger.exists, seconds=30, what="the first task began")

    cluster.backend.redis.flushall()

    cluster.wait_for(*runs, seconds=90)
    at_rest(cluster)
    assert mine(violations(cluster, dict.fromkeys(runs, "SUCCESS"), crashed=False), runs) == []


@pytest.mark.usefixtures("shared_worker")
def test_redis_restarted_without_its_data_loses_nothing(cluster: Cluster) -> None:
    """Redis is killed and comes back empty: a new generation, and everything goes on."""
    cluster.start_master()
    runs = submit_all(cluster, 5, 0.2)
    wait_until(cluster.ledger.exists, seconds=30, what="the first task began")

    cluster.redis.kill()
    cluster.redis.wipe()
    cluster.redis.start()

    cluster.wait_for(*runs, seconds=90)
    at_rest(cluster)
    assert mine(violations(cluster, dict.fromkeys(runs, "SUCCESS"), crashed=False), runs) == []


@pytest.mark.usefixtures("shared_worker")
def test_frozen_master_is_fenced_when_it_wakes(cluster: Cluster) -> None:
    """A master stopped beyond its lease and resumed writes nothing more: the second one finished the runs."""
    zombie = cluster.start_master("zombie")
    runs = submit_all(cluster, 3, 0.2)
    wait_until(cluster.ledger.exists, seconds=30, what="the first task began")

    zombie.send_signal(signal.SIGSTOP)
    cluster.start_master()
    cluster.wait_for(*runs, seconds=40)
    zombie.send_signal(signal.SIGCONT)

    at_rest(cluster)
    assert mine(violations(cluster, dict.fromkeys(runs, "SUCCESS"), crashed=False), runs) == []


@pytest.mark.usefixtures("no_worker")
@pytest.mark.parametrize("point", WORKER_POINTS)
def test_worker_child_that_dies_at_a_crash_point_loses_nothing(cluster: Cluster, point: str) -> None:
    """A pool child ends without a word; its parent or its master notices, and the runs end SUCCESS."""
    cluster.start_master()
    cluster.start_worker(concurrency=2, ORCHESTRATOR_CRASH_AT=f"{point}:6")
    runs = submit_all(cluster, 2, 0.02)

    cluster.wait_for(*runs, seconds=60)

    at_rest(cluster, crashed=True)
    assert mine(violations(cluster, dict.fromkeys(runs, "SUCCESS"), crashed=True), runs) == []


@pytest.mark.usefixtures("no_worker")
def test_worker_killed_under_running_tasks_is_replaced(cluster: Cluster) -> None:
    """`kill -9` of Celery's main process: its attempts are LOST, new ones run alone on the next worker."""
    cluster.start_master()
    cluster.start_worker("first")
    runs = submit_all(cluster, 3, 0.5)
    wait_until(cluster.ledger.exists, seconds=30, what="the first task began")

    cluster.kill("first")
    cluster.start_worker("second")

    cluster.wait_for(*runs, seconds=60)
    cluster.start_worker("first")  # finds its predecessor's spool and says what stands in it
    log = cluster.directory / "first.log"
    wait_until(lambda: log.read_text().count("worker.online") == 2, seconds=30, what="both starts were told")
    at_rest(cluster, crashed=True)
    assert mine(violations(cluster, dict.fromkeys(runs, "SUCCESS"), crashed=True), runs) == []


def mine(found: list[str], runs: list[int]) -> list[str]:
    """Return the violations of this test's runs; the ledger of earlier ones is gone."""
    others = [f"({run}, " for run in range(1, min(runs))]
    return [line for line in found if not any(other in line for other in others)]
