"""Owns the runs that tests of services and commands look at: a small workflow, submitted, ended by hand."""

from sqlalchemy import update

from orchestrator.authoring.load import load_text
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.service import definitions, submission
from orchestrator.service.backend import Backend
from orchestrator.store.schema import workflow_instance
from orchestrator.store.session import writing

SMALL = """
workflow: {name: small, params: {region: eu, limit: {type: integer, default: 3}}}
tasks:
  - {name: one, type: noop}
  - {name: two, type: noop, needs: [one]}
"""


def small_definition(name: str = "small") -> WorkflowDefinition:
    """Return a workflow of two tasks."""
    return load_text(SMALL.replace("name: small", f"name: {name}"))[0]


def submit_small(backend: Backend) -> int:
    """Deploy and submit the small workflow; return the run's id."""
    definitions.deploy(backend, [small_definition()], online=True)
    submitted = submission.submit_texts(backend, "small", (), submission.SubmitOptions())
    return int(submitted["workflow_instance_id"])


def end_run(backend: Backend, workflow_instance_id: int, state: str) -> None:
    """Put a run into a state, as a master would."""
    statement = update(workflow_instance).where(workflow_instance.c.id == workflow_instance_id)
    with writing(backend.engine) as connection:
        connection.execute(statement.values(state=state))
