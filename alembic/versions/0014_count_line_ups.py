"""Count how often an attempt came into the line of its pool: a grant of an earlier time is void.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

COUNTERS = (("task_instance", "line_ups"), ("pool_place", "line_up"))


def upgrade() -> None:
    """Add the counters; who stands in line now does so for time 0, and so do the grants that are on their way."""
    for table, name in COUNTERS:
        op.add_column(table, sa.Column(name, sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Drop them."""
    for table, name in reversed(COUNTERS):
        op.drop_column(table, name)
