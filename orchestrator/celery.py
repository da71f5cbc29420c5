"""Owns the Celery app: `celery -A orchestrator worker`, `celery -A orchestrator flower`.

Importing it is cheap and never touches a server: what only workers need is imported when a worker starts.
"""

import sys
from typing import Any

from celery import Celery, signals

from orchestrator.config import load_settings
from orchestrator.errors import UserError
from orchestrator.worker.celery_defaults import defaults, deployment_config
from orchestrator.worker.entry import check_broker, refuse

FLOWER = "flower"
"""Celery's command that watches workers: `celery -A orchestrator flower`."""


def create_app() -> Celery:
    """Return a new app with the package's defaults and the deployment's `celeryconfig.py` above them.

    Raises:
        SettingsError: A setting is wrong.
    """
    app = Celery("orchestrator", set_as_current=False)
    # not `add_defaults`: Celery would let those win over a configuration
    app.config_from_object({**defaults(load_settings()), **deployment_config()})
    return app


def _app_of_this_program() -> Celery:
    try:
        return create_app()
    except UserError as error:
        refuse(error)


app = _app_of_this_program()


@signals.import_modules.connect(sender=app, weak=False)
def install_worker(**_: Any) -> None:
    """Give the app its task and its bootstep when a worker starts; clients of the app never pay for it.

    Flower loads them, too. What neither could do anything about ends the program here.
    """
    from orchestrator.broker.transport import check_transport  # noqa: PLC0415 - clients of the app need it not
    from orchestrator.worker.assembly import install  # noqa: PLC0415 - only workers need it

    settings = load_settings()
    try:
        check_transport(app.conf.broker_url)
        if FLOWER in sys.argv:  # it has no place of its own to ask this in
            check_broker(settings, app.conf.broker_url)
    except UserError as error:
        refuse(error)
    install(app, settings)
