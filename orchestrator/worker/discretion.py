"""Owns what an attempt's work may say: every outcome leaves with its secrets masked."""

import traceback

import structlog

from orchestrator.core.deferral import Defer
from orchestrator.core.order import Order
from orchestrator.secret_source import SecretUnavailable
from orchestrator.worker.executors.port import Finished, TaskFailure, Work
from orchestrator.worker.executors.python import one_line
from orchestrator.worker.vault import Vault

log = structlog.get_logger(__name__)

UNKNOWN_SECRET = "UnknownSecret"  # noqa: S105 - the name of an error


class DiscreetWork:
    """Work that gives no secret away: outputs, reasons and our own log show the mask.

    Args:
        order: What it is about.
        work: The executor's work.
        vault: The attempt's secrets.
    """

    def __init__(self, order: Order, work: Work, vault: Vault) -> None:
        self._order = order
        self._work = work
        self._vault = vault

    @property
    def process_group(self) -> int | None:
        """The work's own."""
        return self._work.process_group

    def discard(self) -> None:
        """Give up what was prepared."""
        self._work.discard()

    def run(self) -> Finished:
        """Do the work.

        Raises:
            TaskFailure: It failed, whatever the executor raised.
            Defer: It asks to be called again later.
        """
        try:
            return self._masked(self._work.run())
        except Defer as defer:
            self._check(defer)
            raise
        except TaskFailure as failure:
            raise masked_failure(failure, self._vault) from None
        except SecretUnavailable as error:
            raise TaskFailure(str(error), error=UNKNOWN_SECRET) from None
        except Exception as error:  # noqa: BLE001 - a bug of the executor: it ends its task, not the worker
            raise failure_of(error, self._order, self._vault) from None

    def _check(self, defer: Defer) -> None:
        """Return if nothing of a secret would be stored until the attempt is called again."""
        if self._vault.holds(dict(defer.external_ids)):
            raise TaskFailure(
                "the retry has a secret in its arguments, which would be stored until then; retry without it",
                error="SecretInRetry",
            )

    def _masked(self, finished: Finished) -> Finished:
        return Finished(
            outputs=self._vault.masked(finished.outputs),
            exit_code=finished.exit_code,
            external_ids=self._vault.masked(finished.external_ids),
        )


def failure_of(error: Exception, order: Order, vault: Vault) -> TaskFailure:
    """Return the failure that an executor's bug is; its traceback goes into our own log, masked."""
    log.error(
        "worker.executor_failed",
        order_id=order.id,
        type=order.type,
        exception=vault.masked("".join(traceback.format_exception(error)).rstrip()),
    )
    return TaskFailure(vault.masked(one_line(error)), error=type(error).__name__)


def masked_failure(failure: TaskFailure, vault: Vault) -> TaskFailure:
    """Return `failure` with its secrets masked."""
    return TaskFailure(
        vault.masked(failure.reason), error=vault.masked(failure.error), exit_code=failure.exit_code
    )
