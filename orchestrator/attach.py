"""Owns the attachment of existing Celery applications: their workers serve workflows beside their own tasks."""

from typing import Any

from orchestrator.errors import UserError


def attach(app: Any) -> None:
    """Let the workers of a Celery application run its registered tasks as nodes of workflows.

    One line where the application is made; tasks, queues and the way its workers are started stay as they are.
    Nothing happens until a worker starts: programs that only send tasks pay nothing. A worker needs to reach the
    masters' Redis (`ORCHESTRATOR_REDIS_URL`), and never the database. A second call for the same app is harmless.

    Args:
        app: The `celery.Celery` application.

    Raises:
        UserError: It is no Celery application.
    """
    from celery import Celery, signals  # noqa: PLC0415 - who does not attach anything does not import Celery

    if not isinstance(app, Celery):
        raise UserError(f"attach takes a celery.Celery application, not {app!r}")
    app = getattr(app, "_get_current_object", lambda: app)()  # `current_app` is a proxy

    def install_worker(**_: Any) -> None:
        from orchestrator.config import load_settings  # noqa: PLC0415 - only workers need it
        from orchestrator.worker.attached import install_attached  # noqa: PLC0415 - the same
        from orchestrator.worker.entry import refuse  # noqa: PLC0415 - the same

        try:
            install_attached(app, load_settings())
        except UserError as error:
            refuse(error)

    signals.import_modules.connect(
        install_worker, sender=app, weak=False, dispatch_uid=f"orchestrator.attach:{id(app)}"
    )
