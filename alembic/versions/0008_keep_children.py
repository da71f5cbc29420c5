"""Keep which run a sub_workflow task has started.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column that only sub_workflow tasks fill."""
    op.add_column("task_instance", sa.Column("child", sa.BigInteger()))


def downgrade() -> None:
    """Drop it again."""
    op.drop_column("task_instance", "child")
