"""Owns the description of the machine and the versions that a figure was measured with."""

import os
import platform
from importlib import metadata
from typing import Any

import psutil

LIBRARIES = ("orchestrator", "celery", "kombu", "redis", "hiredis", "sqlalchemy", "psycopg2-binary")


def describe() -> dict[str, Any]:
    """Return what a reader must know of this machine to compare figures, JSON-ready."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_before": round(os.getloadavg()[0], 2),
        "versions": {name: metadata.version(name) for name in LIBRARIES},
    }
