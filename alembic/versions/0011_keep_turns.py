"""Keep whose turn it is among the runs of a serial workflow.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
INDEX = "ix_workflow_instance_turns"
UNFINISHED = sa.text("state NOT IN ('SUCCESS', 'FAILURE', 'STOPPED')")
UNDER_WAY = """
UPDATE workflow_instance SET has_turn = :yes
WHERE NOT dry_run
AND (state IN ('RUNNING', 'PAUSING', 'STOPPING') OR (state = 'PAUSED' AND started_at IS NOT NULL))
"""


def upgrade() -> None:
    """Add the table, and say of each run whether it is under way."""
    op.create_table(
        "serial_holder",
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("workflow_instance_id", ID),
        sa.Column("since", TIME),
        sa.Column("repairs", sa.Integer(), nullable=False),
        sa.Column("repaired_at", TIME),
        sa.PrimaryKeyConstraint("workflow", name="pk_serial_holder"),
    )
    turn = sa.Column("has_turn", sa.Boolean(), nullable=False, server_default=sa.false())
    op.add_column("workflow_instance", turn)
    op.execute(sa.text(UNDER_WAY).bindparams(sa.bindparam("yes", value=True, type_=sa.Boolean())))
    op.create_index(
        INDEX,
        "workflow_instance",
        ["workflow", "state", "id"],
        postgresql_where=UNFINISHED,
        sqlite_where=UNFINISHED,
    )


def downgrade() -> None:
    """Drop them again."""
    op.drop_index(INDEX, "workflow_instance")
    op.drop_column("workflow_instance", "has_turn")
    op.drop_table("serial_holder")
