"""Owns which stream the events of a workflow instance go to."""

SLOTS = 64
"""Fixed when a database is created; one stream and one lease per slot."""


def slot_of(workflow_instance_id: int) -> int:
    """Return the slot of a workflow instance."""
    return workflow_instance_id % SLOTS
