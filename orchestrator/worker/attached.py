"""Owns what an attached Celery application needs beyond what our own worker has: a checked app, its orders."""

from celery import Celery

from orchestrator.config import Settings
from orchestrator.errors import UserError
from orchestrator.worker.assembly import install
from orchestrator.worker.celery_defaults import defaults
from orchestrator.worker.forwarder import is_same_broker


def install_attached(app: Celery, settings: Settings) -> None:
    """Give an existing application what its workers need to run nodes of workflows; its own settings stay.

    Args:
        app: The application.
        settings: The worker's settings.

    Raises:
        UserError: Its workers could not read an order.
    """
    accepted = {str(one) for one in app.conf.accept_content or ()}
    if not accepted & {"json", "application/json"}:
        known = ", ".join(sorted(accepted)) or "nothing"
        raise UserError(f"its workers accept {known}; add 'json' to accept_content, for orders are JSON")
    orders = Celery("orchestrator-orders", set_as_current=False)
    orders.config_from_object(defaults(settings))
    install(app, settings, orders=None if is_same_broker(app, orders) else orders)
