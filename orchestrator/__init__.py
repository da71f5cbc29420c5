"""Orchestrator: durable DAG workflows on the Celery you already run.

Only light modules are imported here: workers import this package with their tasks.
"""

from orchestrator.attach import attach
from orchestrator.authoring.decorators import Task, Workflow, node, noop, python, shell, task, workflow
from orchestrator.core.deferral import Defer

__all__ = ["Defer", "Task", "Workflow", "attach", "node", "noop", "python", "shell", "task", "workflow"]
