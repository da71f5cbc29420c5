"""Keep outputs of cached tasks, tasks that are held by name, and what a backfill runs again.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the table and the columns."""
    op.add_column("workflow_instance", sa.Column("held", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("task_instance", sa.Column("cache_key", sa.String(64)))
    op.add_column("backfill_run", sa.Column("rerun_of", sa.Integer()))
    op.add_column("backfill", sa.Column("params", sa.JSON()))
    op.create_table(
        "task_cache",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("workflow_instance_id", BIG_ID, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_task_cache"),
        sa.ForeignKeyConstraint(
            ["workflow_instance_id"],
            ["workflow_instance.id"],
            name="fk_task_cache_workflow_instance_id_workflow_instance",
        ),
    )
    op.create_index("ix_task_cache_workflow_task", "task_cache", ["workflow", "task"])
    op.create_index("ix_task_cache_workflow_instance_id", "task_cache", ["workflow_instance_id"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("task_cache")
    op.drop_column("backfill", "params")
    op.drop_column("backfill_run", "rerun_of")
    op.drop_column("task_instance", "cache_key")
    op.drop_column("workflow_instance", "held")
