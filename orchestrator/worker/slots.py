"""Owns which stream the events of a workflow instance go to."""

SLOTS = 64
"""Fixed when a database is created; one stream and one lease per slot."""


def slot_of(workflow_instance_id: int, slots: int) -> int:
    """Return the slot of a workflow instance in a deployment of so many slots."""
    return workflow_instance_id % slots
