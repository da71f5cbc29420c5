"""Describe masters: the version they run, and when they left in order.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add two columns that may be empty: a program of before does not miss them."""
    op.add_column("master", sa.Column("version", sa.Text(), nullable=True))
    op.add_column("master", sa.Column("left_at", TIME, nullable=True))


def downgrade() -> None:
    """Drop them again."""
    op.drop_column("master", "left_at")
    op.drop_column("master", "version")
