"""Count deaths of an attempt's own process apart from losses of whole workers: each has a limit of its own.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a counter that begins at 0."""
    op.add_column("task_instance", sa.Column("deaths", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Drop it again."""
    op.drop_column("task_instance", "deaths")
