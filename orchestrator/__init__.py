"""Orchestrator: durable DAG workflows on the Celery you already run."""
