"""Owns the task type `noop`: it succeeds at once."""

from orchestrator.core.order import Order
from orchestrator.worker.executors.port import Finished, Workplace

FINISHED = Finished()


class NoopWork:
    """Nothing to do."""

    process_group = None

    def run(self) -> Finished:
        """Succeed."""
        return FINISHED

    def discard(self) -> None:
        """Nothing was prepared."""


WORK = NoopWork()


class NoopExecutor:
    """Runs tasks that only join or mark a place in the graph."""

    def prepare(self, order: Order, workplace: Workplace) -> NoopWork:  # noqa: ARG002 - the port's signature
        """Return work that succeeds at once."""
        return WORK
