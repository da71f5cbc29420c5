"""Note which hand-over began an attempt, and keep its queue timeout while it runs.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

KEEP_WAITING = """
UPDATE task_instance SET queue_timeout_at = timeout_at
WHERE state IN ('SUBMITTED', 'DISPATCHED') AND started_at IS NULL AND timeout_at IS NOT NULL
"""
NOTE_BEGUN = """
UPDATE task_instance SET begun = dispatch WHERE state = 'RUNNING' AND started_at >= dispatched_at
"""
"""The program of before told it by these times."""

GIVE_BACK = """
UPDATE task_instance SET timeout_at = queue_timeout_at
WHERE state IN ('SUBMITTED', 'DISPATCHED') AND started_at IS NULL
"""


def upgrade() -> None:
    """Add both; what waits for a worker now keeps its time, and what runs has begun as far as its times say."""
    op.add_column("task_instance", sa.Column("queue_timeout_at", sa.DateTime(timezone=True)))
    op.add_column("task_instance", sa.Column("begun", sa.Integer()))
    op.execute(KEEP_WAITING)
    op.execute(NOTE_BEGUN)


def downgrade() -> None:
    """Drop them; what waits has its time where it was."""
    op.execute(GIVE_BACK)
    op.drop_column("task_instance", "begun")
    op.drop_column("task_instance", "queue_timeout_at")
