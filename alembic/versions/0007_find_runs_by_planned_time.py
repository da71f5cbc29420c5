"""Find the runs of a workflow by their planned time: dependent tasks look at them again and again.

Revision ID: 0007
Revises: 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INDEX = "ix_workflow_instance_workflow_planned_time"


def upgrade() -> None:
    """Add an index."""
    op.create_index(INDEX, "workflow_instance", ["workflow", "planned_time"])


def downgrade() -> None:
    """Drop it again."""
    op.drop_index(INDEX, "workflow_instance")
