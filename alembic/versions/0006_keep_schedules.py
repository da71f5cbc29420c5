"""Keep schedules and backfills: what was decided up to when, which runs a backfill made, where data begin.

Revision ID: 0006
Revises: 0004
"""

import sqlalchemy as sa

from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
OPEN = sa.text("ended_at IS NULL")


def upgrade() -> None:
    """Make the table of schedules anew: no version before this one wrote to it."""
    op.add_column("workflow_instance", sa.Column("interval_start", TIME, nullable=True))
    op.drop_table("schedule")
    _create_schedule(
        sa.Column("active_since", TIME, nullable=False),
        sa.Column("handled_until", TIME, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "backfill",
        sa.Column("id", ID, primary_key=True),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("cron", sa.Text(), nullable=True),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("first_at", TIME, nullable=False),
        sa.Column("last_at", TIME, nullable=False),
        sa.Column("max_parallel", sa.Integer(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_backfill_open", "backfill", ["slot"], postgresql_where=OPEN, sqlite_where=OPEN)
    op.create_table(
        "backfill_run",
        sa.Column(
            "backfill_id",
            ID,
            sa.ForeignKey("backfill.id", name="fk_backfill_run_backfill_id"),
            nullable=False,
        ),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("planned_time", TIME, nullable=False),
        sa.Column("workflow_instance_id", ID, nullable=False),
        sa.Column("released_at", TIME, nullable=True),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("backfill_id", "position", name="pk_backfill_run"),
        sa.UniqueConstraint("backfill_id", "planned_time", name="uq_backfill_run_backfill_id_planned_time"),
    )


def downgrade() -> None:
    """Drop them again: schedules come back with the next deployment."""
    op.drop_table("backfill_run")
    op.drop_table("backfill")
    op.drop_table("schedule")
    _create_schedule()
    op.drop_column("workflow_instance", "interval_start")


def _create_schedule(*more: sa.Column[object], **options: bool) -> None:
    op.create_table(
        "schedule",
        sa.Column("id", ID, primary_key=True),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("cron", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("misfire", sa.String(16), nullable=False),
        sa.Column("grace_s", sa.Float(), nullable=True),
        sa.Column("starts_at", TIME, nullable=True),
        sa.Column("ends_at", TIME, nullable=True),
        sa.Column("paused", sa.Boolean(), nullable=False),
        *more,
        sa.Column("next_at", TIME, nullable=True),
        sa.Column("last_planned_at", TIME, nullable=True),
        **options,
    )
    op.create_index("ix_schedule_slot_next_at", "schedule", ["slot", "next_at"])
    op.create_index("ix_schedule_workflow", "schedule", ["workflow"])
