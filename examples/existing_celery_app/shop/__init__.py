"""A small shop's Celery application, as one finds them: written without a thought of workflows."""

from shop.app import app

__all__ = ["app"]
