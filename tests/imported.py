"""Owns what the forks of `tests.programs` find imported.

All of the product but its Celery app, which reads the settings of its program, and what Celery's workers import.
"""

import gc
import importlib
import pkgutil
import sys

import celery.bin.celery
import celery.bin.worker
import celery.concurrency.prefork
import celery.worker.autoscale
import celery.worker.components
import celery.worker.consumer
import kombu.transport.redis
import sqlalchemy.dialects.postgresql.psycopg2
import sqlalchemy.dialects.sqlite.pysqlite

import orchestrator

USED = (celery, kombu, sqlalchemy)
APP = "orchestrator.celery"
PROGRAMS = (APP, "orchestrator.cli.__main__")
"""What does something when it is imported."""


def import_all() -> None:
    """Import every module of the product that only defines something."""
    for module in pkgutil.walk_packages(orchestrator.__path__, "orchestrator."):
        if (
            module.name not in PROGRAMS
            and not module.name.endswith("__main__")
            and "migrations" not in module.name
        ):
            importlib.import_module(module.name)


def forget_the_app() -> None:
    """Let each program make the Celery app of its own settings: what is imported so far is made of ours."""
    if sys.modules.pop(APP, None) is not None:
        delattr(orchestrator, APP.rpartition(".")[2])


import_all()
forget_the_app()
gc.collect()
gc.freeze()
