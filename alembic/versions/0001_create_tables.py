"""Create the tables: definitions, runs, attempts, commands, outbox, schedules, pools, leases, masters.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SLOTS = 64
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON(none_as_null=True)
UNFINISHED = sa.text("state NOT IN ('SUCCESS', 'FAILURE', 'STOPPED')")

TABLES = (
    "deployment",
    "workflow_definition",
    "workflow_instance",
    "task_instance",
    "command",
    "error_command",
    "outbox",
    "schedule",
    "pool",
    "slot_lease",
    "master",
)


def upgrade() -> None:
    """Create every table; one lease row for each slot."""
    _create_deployment()
    _create_workflow_definition()
    _create_workflow_instance()
    _create_task_instance()
    _create_command()
    _create_error_command()
    _create_outbox()
    _create_schedule()
    _create_pool()
    _create_slot_lease()
    _create_master()
    _fill()


def downgrade() -> None:
    """Drop every table, those that refer to others first."""
    for table in reversed(TABLES):
        op.drop_table(table)


def _fill() -> None:
    """Note the number of slots, which never changes, and make their leases."""
    deployment = sa.table("deployment", sa.column("id"), sa.column("slots"), sa.column("created_at"))
    op.execute(deployment.insert().values(id=1, slots=SLOTS, created_at=sa.func.current_timestamp()))
    slot_lease = sa.table("slot_lease", sa.column("slot"), sa.column("epoch"))
    op.bulk_insert(slot_lease, [{"slot": slot, "epoch": 0} for slot in range(SLOTS)])


def _create_deployment() -> None:
    op.create_table(
        "deployment",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_deployment"),
    )


def _create_workflow_definition() -> None:
    op.create_table(
        "workflow_definition",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("document", DOCUMENT, nullable=False),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workflow_definition"),
        sa.UniqueConstraint("name", "version", name="uq_workflow_definition_name_version"),
    )


def _create_workflow_instance() -> None:
    op.create_table(
        "workflow_instance",
        sa.Column("id", ID, nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("definition_id", ID, nullable=False),
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("run_count", sa.Integer(), nullable=False),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("priority", sa.String(length=16), nullable=False),
        sa.Column("worker_group", sa.Text(), nullable=False),
        sa.Column("on_failure", sa.String(length=16), nullable=False),
        sa.Column("params", DOCUMENT, nullable=False),
        sa.Column("start_nodes", DOCUMENT, nullable=False),
        sa.Column("depends", sa.String(length=16), nullable=False),
        sa.Column("planned_time", TIME, nullable=False),
        sa.Column("submitted_at", TIME, nullable=False),
        sa.Column("started_at", TIME, nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("timeout_at", TIME, nullable=True),
        sa.Column("paused_at", TIME, nullable=True),
        sa.Column("timed_out", sa.Boolean(), nullable=False),
        sa.Column("ending", sa.Boolean(), nullable=False),
        sa.Column("next_sequence", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("parent_id", ID, nullable=True),
        sa.Column("parent_task", sa.Text(), nullable=True),
        sa.Column("revision", ID, nullable=False),
        sa.Column("epoch", ID, nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("request_hash", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["definition_id"], ["workflow_definition.id"], name="fk_workflow_instance_definition_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_workflow_instance"),
        sa.UniqueConstraint("idempotency_key", name="uq_workflow_instance_idempotency_key"),
        postgresql_with={"fillfactor": "80"},
        sqlite_autoincrement=True,
    )
    op.create_index("ix_workflow_instance_parent_id", "workflow_instance", ["parent_id"])
    op.create_index(
        "ix_workflow_instance_unfinished",
        "workflow_instance",
        ["slot", "id"],
        postgresql_where=UNFINISHED,
        sqlite_where=UNFINISHED,
    )
    op.create_index("ix_workflow_instance_workflow_id", "workflow_instance", ["workflow", "id"])


def _create_task_instance() -> None:
    op.create_table(
        "task_instance",
        sa.Column("workflow_instance_id", ID, nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("ticket", sa.Text(), nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.Column("dispatch", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("submitted_at", TIME, nullable=True),
        sa.Column("due_at", TIME, nullable=True),
        sa.Column("dispatched_at", TIME, nullable=True),
        sa.Column("started_at", TIME, nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("timeout_at", TIME, nullable=True),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("incarnation", sa.Text(), nullable=True),
        sa.Column("reported", sa.Boolean(), nullable=False),
        sa.Column("host", sa.Text(), nullable=True),
        sa.Column("pid", sa.BigInteger(), nullable=True),
        sa.Column("process_group", sa.BigInteger(), nullable=True),
        sa.Column("log_path", sa.Text(), nullable=True),
        sa.Column("external_ids", DOCUMENT, nullable=False),
        sa.Column("worker_clock", TIME, nullable=True),
        sa.Column("exit_code", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("outputs", DOCUMENT, nullable=False),
        sa.Column("rejected_by", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["workflow_instance_id"], ["workflow_instance.id"], name="fk_task_instance_workflow_instance_id"
        ),
        sa.PrimaryKeyConstraint("workflow_instance_id", "task", "attempt", name="pk_task_instance"),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index(
        "uq_task_instance_current",
        "task_instance",
        ["workflow_instance_id", "task"],
        unique=True,
        postgresql_where=sa.text("current"),
        sqlite_where=sa.text("current"),
    )


def _create_command() -> None:
    op.create_table(
        "command",
        sa.Column("id", ID, nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("workflow_instance_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("body", DOCUMENT, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_command"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_command_slot_id", "command", ["slot", "id"])


def _create_error_command() -> None:
    op.create_table(
        "error_command",
        sa.Column("id", ID, autoincrement=False, nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("workflow_instance_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("body", DOCUMENT, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("failed_at", TIME, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_error_command"),
    )


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("workflow_instance_id", ID, nullable=True),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("body", DOCUMENT, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("delivered_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.UniqueConstraint("key", name="uq_outbox_key"),
    )
    op.create_index(
        "ix_outbox_undelivered",
        "outbox",
        ["slot", "due_at"],
        postgresql_where=sa.text("delivered_at IS NULL"),
        sqlite_where=sa.text("delivered_at IS NULL"),
    )


def _create_schedule() -> None:
    op.create_table(
        "schedule",
        sa.Column("id", ID, nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("cron", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("misfire", sa.String(length=16), nullable=False),
        sa.Column("grace_s", sa.Float(), nullable=True),
        sa.Column("starts_at", TIME, nullable=True),
        sa.Column("ends_at", TIME, nullable=True),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("next_at", TIME, nullable=True),
        sa.Column("last_planned_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_schedule"),
    )
    op.create_index("ix_schedule_slot_next_at", "schedule", ["slot", "next_at"])
    op.create_index("ix_schedule_workflow", "schedule", ["workflow"])


def _create_pool() -> None:
    op.create_table(
        "pool",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_pool"),
    )


def _create_slot_lease() -> None:
    op.create_table(
        "slot_lease",
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("epoch", ID, nullable=False),
        sa.Column("expires_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("slot", name="pk_slot_lease"),
        postgresql_with={"fillfactor": "50"},
    )


def _create_master() -> None:
    op.create_table(
        "master",
        sa.Column("incarnation", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("last_heartbeat", TIME, nullable=False),
        sa.PrimaryKeyConstraint("incarnation", name="pk_master"),
    )
