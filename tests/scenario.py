"""The workload of the acceptance tests: runs of ten tasks that write to the ledger, and faults beside them."""

import threading
from collections.abc import Callable

from orchestrator.core.definition import TaskDefinition, WorkflowDefinition
from tests.cluster import Cluster, wait_until
from tests.oracle import violations

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


def at_rest(cluster: Cluster, *, crashed: bool = False) -> None:
    """Wait until the last verdicts have arrived and the worker's spool is empty."""

    def is_empty() -> bool:
        left = violations(cluster, {}, crashed=crashed)
        return not [line for line in left if line.startswith("O5")]

    wait_until(is_empty, seconds=20, what="streams, spools and the outbox are empty")
