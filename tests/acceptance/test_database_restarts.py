"""DolphinScheduler's #10854, at scale: the database goes away while tasks end, and no state is lost."""

import random
import threading
from collections.abc import Callable, Iterator

import pytest

from orchestrator.core.definition import TaskDefinition, WorkflowDefinition
from tests.cluster import Cluster, temporary_cluster, wait_until
from tests.oracle import violations

pytestmark = pytest.mark.acceptance

SHAPE = {
    "extract": (),
    "north": ("extract",),
    "south": ("extract",),
    "east": ("extract",),
    "west": ("extract",),
    "join": ("north", "south", "east", "west"),
    "check": ("join",),
    "export": ("join",),
    "report": ("check", "export"),
    "clean": ("report",),
}
RUNS = 100
TASK_S = 0.12


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """PostgreSQL, Redis, one master, one worker with eight children."""
    with temporary_cluster() as started:
        started.start_master()
        started.start_worker(concurrency=8)
        yield started


def definition(seconds: float) -> WorkflowDefinition:
    """Return ten tasks that write to the ledger and take `seconds` each."""
    names = ("workflow_instance_id", "task_name", "attempt")
    parameters = {name: f"${{{name}}}" for name in names}
    tasks = tuple(
        TaskDefinition(
            name=name,
            type="python",
            spec={"call": "tests.ledger:work"},
            params={**parameters, "seconds": seconds},
            needs=needs,
        )
        for name, needs in SHAPE.items()
    )
    return WorkflowDefinition(name="restarts", tasks=tasks)


def submit_all(cluster: Cluster, runs: int, seconds: float) -> list[int]:
    """Submit `runs` runs."""
    definition_id = cluster.deploy(definition(seconds))
    return [cluster.submit(definition_id) for _ in range(runs)]


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


class background:  # noqa: N801  reads as a statement
    """Runs `step` in a thread for `seconds`, then lets it end and hands on its error."""

    def __init__(self, step: Callable[[], None], over: threading.Event, *, seconds: float) -> None:
        self._over = over
        self._seconds = seconds
        self._errors: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, args=(step,), name="faults")

    def __enter__(self) -> None:
        """Start the thread."""
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        """Wait until the time is over and the thread has ended."""
        self._over.wait(self._seconds)
        self._over.set()
        self._thread.join(30)
        if self._errors:
            raise self._errors[0]

    def _run(self, step: Callable[[], None]) -> None:
        try:
            step()
        except BaseException as error:  # noqa: BLE001  handed on by __exit__
            self._errors.append(error)
            self._over.set()


def at_rest(cluster: Cluster) -> None:
    """Wait until the last verdicts have arrived and the worker's spool is empty."""

    def is_empty() -> bool:
        left = violations(cluster, {}, crashed=False)
        return not [line for line in left if line.startswith("O5")]

    wait_until(is_empty, seconds=20, what="streams, spools and the outbox are empty")
