"""Keep which branch a switch or conditions task chose.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column that only branching tasks fill."""
    op.add_column("task_instance", sa.Column("taken", sa.JSON(none_as_null=True)))


def downgrade() -> None:
    """Drop it again."""
    op.drop_column("task_instance", "taken")
