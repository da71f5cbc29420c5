"""Owns what Celery's main process does with an order beside running it: deaths, revocations, time limits."""

from typing import Any, Protocol, cast

from billiard.exceptions import WorkerLostError
from celery.worker.request import Request
from celery.worker.state import revoked as revoked_ids
from celery.worker.state import task_ready

from orchestrator.worker.execute import ExecuteTask
from orchestrator.worker.losses import death_of


class _Exception(Protocol):
    """Celery's ExceptionInfo."""

    exception: BaseException


class OrderRequest(Request):  # type: ignore[misc, unused-ignore]  # Celery has no types here
    """A request for `orchestrator.execute`."""

    _revoked_by_hand = False

    def __init__(self, message: Any, **options: Any) -> None:
        super().__init__(message, **options)
        limits = self._order_task.limits
        if limits is not None and limits.are_any:
            self.time_limits = limits.of_message(self.kwargs)

    @property
    def _order_task(self) -> ExecuteTask:
        return cast("ExecuteTask", self.task)

    def revoked(self) -> bool:
        """Tell whether the order is not to start; one that a person revoked ends KILLED."""
        by_hand = self.id in revoked_ids and not self._revoked_by_hand
        refused = bool(super().revoked())
        if refused and by_hand:
            self._revoked_by_hand = True
            self._revoke()
        return refused

    def terminate(self, pool: Any, signal: Any = None) -> None:  # noqa: ARG002 - Celery's signature
        """End the attempt as a stop does: its whole process group, and its report says KILLED."""
        self._revoke()

    def cancel(self, pool: Any, signal: Any = None, emit_retry: bool = True) -> None:  # noqa: FBT001, FBT002 - Celery's
        """Let the attempt go on while the broker is away: its report waits in the spool, its claim bars copies."""

    def _revoke(self) -> None:
        revocations = self._order_task.revocations
        if revocations is not None:
            revocations.note(self.kwargs)

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
        losses = self._order_task.losses
        return losses is not None and losses.report(self.kwargs, status)
