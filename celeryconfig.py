"""Owns this deployment's Celery settings: read by workers, masters and Flower alike, above the package's defaults.

The defaults (`orchestrator/worker/celery_defaults.py`) are what the delivery protocol needs; override with care.
Servers are named by the environment: ORCHESTRATOR_REDIS_URL, ORCHESTRATOR_BROKER_URL.
"""

worker_log_color = False
