"""Find the attempts that wait for a slot of a pool by their own rows.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

IN_LINE = sa.text("reason = 'pool'")


def upgrade() -> None:
    """Add the index: the sweep of the pools asks it every few seconds."""
    op.create_index(
        "ix_task_instance_in_line",
        "task_instance",
        ["workflow_instance_id"],
        postgresql_where=IN_LINE,
        sqlite_where=IN_LINE,
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_task_instance_in_line", table_name="task_instance")
