"""Owns the Celery app: `celery -A orchestrator worker`, `celery -A orchestrator flower`.

Importing it is cheap and never touches a server: what only workers need is imported when a worker starts.
"""

from typing import Any

from celery import Celery, signals

from orchestrator.config import load_settings
from orchestrator.worker.celery_defaults import defaults, deployment_config


def create_app() -> Celery:
    """Return a new app with the package's defaults and the deployment's `celeryconfig.py` above them.

    Raises:
        SettingsError: A setting is wrong.
    """
    app = Celery("orchestrator", set_as_current=False)
    # not `add_defaults`: Celery would let those win over a configuration
    app.config_from_object({**defaults(load_settings()), **deployment_config()})
    return app


app = create_app()


@signals.import_modules.connect(sender=app, weak=False)
def install_worker(**_: Any) -> None:
    """Give the app its task and its bootstep when a worker starts; clients of the app never pay for it."""
    from orchestrator.worker.assembly import install  # noqa: PLC0415 - only workers need it

    install(app, load_settings())
