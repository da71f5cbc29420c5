"""Owns what Celery's main process does with an order beside running it: it speaks for a child that died."""

from typing import Any, Protocol, cast

from billiard.exceptions import WorkerLostError
from celery.worker.request import Request
from celery.worker.state import task_ready

from orchestrator.worker.execute import ExecuteTask
from orchestrator.worker.losses import death_of


class _Exception(Protocol):
    """Celery's ExceptionInfo."""

    exception: BaseException


class OrderRequest(Request):  # type: ignore[misc, unused-ignore]  # Celery has no types here
    """A request for `orchestrator.execute`."""

    def on_failure(
        self,
        exc_info: _Exception,
        send_failed_event: bool = True,  # noqa: FBT001, FBT002 - Celery's signature
        return_ok: bool = False,  # noqa: FBT001, FBT002 - Celery's signature
    ) -> Any:
        """Report the attempt at once if it cannot report itself; else do what Celery does."""
        error = exc_info.exception
        error = getattr(error, "exc", error)
        lost = isinstance(error, (WorkerLostError, SystemExit, KeyboardInterrupt))
        status = death_of(str(error)) if lost else f"{type(error).__name__}: {error}"
        if not self._report(status):
            return super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)
        task_ready(self)
        self.acknowledge()
        if send_failed_event:
            self.send_event("task-failed", exception=repr(error), traceback="")
        return None

    def _report(self, status: str) -> bool:
        losses = cast("ExecuteTask", self.task).losses
        return losses is not None and losses.report(self.kwargs, status)
