"""Keep who has a slot of a pool, and who waits for one.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ATTEMPT = ("workflow_instance_id", "task", "attempt")
IN_LINE = ("pool", "workflow_rank", "task_rank", "since", "sequence", "workflow_instance_id")


def upgrade() -> None:
    """Add the tables, and the count of what was repaired."""
    op.add_column("pool", sa.Column("repaired", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "pool_slot",
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("workflow_instance_id", BIG_ID, nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("pool", "number", name="pk_pool_slot"),
        sa.UniqueConstraint(*ATTEMPT, name="uq_pool_slot_workflow_instance_id_task_attempt"),
    )
    op.create_table(
        "pool_place",
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("workflow_instance_id", BIG_ID, nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("workflow_rank", sa.Integer(), nullable=False),
        sa.Column("task_rank", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True)),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(*ATTEMPT, name="pk_pool_place"),
    )
    op.create_index("ix_pool_place_in_line", "pool_place", list(IN_LINE))


def downgrade() -> None:
    """Drop them."""
    op.drop_table("pool_place")
    op.drop_table("pool_slot")
    op.drop_column("pool", "repaired")
