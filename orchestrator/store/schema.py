"""Owns the tables. Columns of runs and attempts are named as the fields of `core.instance`."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from orchestrator.store.columns import BigId, Json, UtcDateTime

SLOTS = 64
"""Slots of a new database; what a database was created with stands in `deployment`."""

UNFINISHED = text("state NOT IN ('SUCCESS', 'FAILURE', 'STOPPED')")
"""Literal, so that a query with these very words can use the partial index."""

IN_LINE = text("task_instance.reason = 'pool'")
"""Attempts that wait for a slot; literal for the same reason."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

deployment = Table(
    "deployment",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("slots", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

workflow_definition = Table(
    "workflow_definition",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("document", Json, nullable=False),
    Column("online", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("name", "version"),
)

workflow_instance = Table(
    "workflow_instance",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("slot", Integer, nullable=False),
    Column("definition_id", BigId, ForeignKey("workflow_definition.id"), nullable=False),
    Column("workflow", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("run_count", Integer, nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("priority", String(16), nullable=False),
    Column("worker_group", Text, nullable=False),
    Column("on_failure", String(16), nullable=False),
    Column("params", Json, nullable=False),
    Column("start_nodes", Json, nullable=False),
    Column("depends", String(16), nullable=False),
    Column("planned_time", UtcDateTime, nullable=False),
    Column("interval_start", UtcDateTime),
    Column("submitted_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("timeout_at", UtcDateTime),
    Column("paused_at", UtcDateTime),
    Column("timed_out", Boolean, nullable=False),
    Column("ending", Boolean, nullable=False),
    Column("has_turn", Boolean, nullable=False, server_default=false()),
    Column("next_sequence", Integer, nullable=False),
    Column("reason", Text),
    Column("parent_id", BigId),
    Column("parent_task", Text),
    Column("held", Json, nullable=False, server_default="[]"),
    Column("revision", BigId, nullable=False),
    Column("epoch", BigId, nullable=False),
    Column("idempotency_key", Text),
    Column("request_hash", String(64)),
    UniqueConstraint("idempotency_key"),
    Index(None, "workflow", "id"),
    Index(None, "workflow", "planned_time"),
    Index(None, "parent_id"),
    Index(
        "ix_workflow_instance_unfinished",
        "slot",
        "id",
        postgresql_where=UNFINISHED,
        sqlite_where=UNFINISHED,
    ),
    Index(
        "ix_workflow_instance_turns",
        "workflow",
        "state",
        "id",
        postgresql_where=UNFINISHED,
        sqlite_where=UNFINISHED,
    ),
    sqlite_autoincrement=True,  # the id of a deleted run is never given to another one
    postgresql_with={"fillfactor": "80"},  # room for updates in the same page
)

task_instance = Table(
    "task_instance",
    metadata,
    Column("workflow_instance_id", BigId, ForeignKey("workflow_instance.id"), nullable=False),
    Column("task", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("type", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("ticket", Text, nullable=False),
    Column("current", Boolean, nullable=False),
    Column("dispatch", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("losses", Integer, nullable=False),
    Column("deaths", Integer, nullable=False, server_default="0"),
    Column("submitted_at", UtcDateTime),
    Column("due_at", UtcDateTime),
    Column("dispatched_at", UtcDateTime),
    Column("started_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("begun", Integer),
    Column("timeout_at", UtcDateTime),
    Column("queue_timeout_at", UtcDateTime),
    Column("worker", Text),
    Column("incarnation", Text),
    Column("reported", Boolean, nullable=False),
    Column("host", Text),
    Column("pid", BigInteger),
    Column("process_group", BigInteger),
    Column("log_path", Text),
    Column("external_ids", Json, nullable=False),
    Column("worker_clock", UtcDateTime),
    Column("exit_code", BigInteger),
    Column("reason", Text),
    Column("outputs", Json, nullable=False),
    Column("taken", Json),
    Column("child", BigInteger),
    Column("rejected_by", Json, nullable=False),
    Column("cache_key", String(64)),
    Column("line_ups", Integer, nullable=False, server_default="0"),
    PrimaryKeyConstraint("workflow_instance_id", "task", "attempt"),
    Index(
        "uq_task_instance_current",
        "workflow_instance_id",
        "task",
        unique=True,
        postgresql_where=text("current"),
        sqlite_where=text("current"),
    ),
    Index(  # few rows: the reason goes when a slot comes
        "ix_task_instance_in_line",
        "workflow_instance_id",
        postgresql_where=text("reason = 'pool'"),
        sqlite_where=text("reason = 'pool'"),
    ),
    postgresql_with={"fillfactor": "70"},
)

task_cache = Table(
    "task_cache",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("workflow", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("workflow_instance_id", BigId, ForeignKey("workflow_instance.id"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "workflow", "task"),
    Index(None, "workflow_instance_id"),
)

command = Table(
    "command",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("slot", Integer, nullable=False),
    Column("workflow_instance_id", BigId, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("body", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "slot", "id"),
    sqlite_autoincrement=True,  # masters remember ids that they have taken
)

error_command = Table(
    "error_command",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=False),
    Column("slot", Integer, nullable=False),
    Column("workflow_instance_id", BigId, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("body", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("failed_at", UtcDateTime, nullable=False),
    Column("reason", Text, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("key", Text, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("workflow_instance_id", BigId),
    Column("kind", String(64), nullable=False),
    Column("body", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("last_error", Text),
    Column("delivered_at", UtcDateTime),
    UniqueConstraint("key"),
    Index(
        "ix_outbox_undelivered",
        "slot",
        "due_at",
        postgresql_where=text("delivered_at IS NULL"),
        sqlite_where=text("delivered_at IS NULL"),
    ),
)

environment = Table(
    "environment",
    metadata,
    Column("name", Text, primary_key=True),
    Column("variables", Json, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

schedule = Table(
    "schedule",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("slot", Integer, nullable=False),
    Column("workflow", Text, nullable=False),
    Column("cron", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("misfire", String(16), nullable=False),
    Column("grace_s", Float),
    Column("starts_at", UtcDateTime),
    Column("ends_at", UtcDateTime),
    Column("paused", Boolean, nullable=False),
    Column("active_since", UtcDateTime, nullable=False),
    Column("handled_until", UtcDateTime, nullable=False),
    Column("next_at", UtcDateTime),
    Column("last_planned_at", UtcDateTime),
    Index(None, "slot", "next_at"),
    Index(None, "workflow"),
    sqlite_autoincrement=True,  # runs are keyed by the id of their schedule: it is never given again
)

backfill = Table(
    "backfill",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("slot", Integer, nullable=False),
    Column("workflow", Text, nullable=False),
    Column("cron", Text),
    Column("timezone", Text, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("max_parallel", Integer),
    Column("params", Json),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("reason", Text),
    Index(
        "ix_backfill_open",
        "slot",
        postgresql_where=text("ended_at IS NULL"),
        sqlite_where=text("ended_at IS NULL"),
    ),
    sqlite_autoincrement=True,  # the same
)

backfill_run = Table(
    "backfill_run",
    metadata,
    Column("backfill_id", BigId, ForeignKey("backfill.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("planned_time", UtcDateTime, nullable=False),
    Column("workflow_instance_id", BigId, nullable=False),
    Column("released_at", UtcDateTime),
    Column("done", Boolean, nullable=False),
    Column("rerun_of", Integer),
    PrimaryKeyConstraint("backfill_id", "position"),
    UniqueConstraint("backfill_id", "planned_time"),
)

serial_holder = Table(
    "serial_holder",
    metadata,
    Column("workflow", Text, primary_key=True),
    Column("workflow_instance_id", BigId),
    Column("since", UtcDateTime),
    Column("repairs", Integer, nullable=False),
    Column("repaired_at", UtcDateTime),
)

pool = Table(
    "pool",
    metadata,
    Column("name", Text, primary_key=True),
    Column("slots", Integer, nullable=False),
    Column("repaired", Integer, nullable=False, server_default="0"),
)

pool_slot = Table(
    "pool_slot",
    metadata,
    Column("pool", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("workflow_instance_id", BigId, nullable=False),
    Column("task", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("taken_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("pool", "number"),
    UniqueConstraint("workflow_instance_id", "task", "attempt"),
)

pool_place = Table(
    "pool_place",
    metadata,
    Column("pool", Text, nullable=False),
    Column("workflow_instance_id", BigId, nullable=False),
    Column("task", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("workflow_rank", Integer, nullable=False),
    Column("task_rank", Integer, nullable=False),
    Column("since", UtcDateTime),
    Column("sequence", Integer, nullable=False),
    Column("line_up", Integer, nullable=False, server_default="0"),
    PrimaryKeyConstraint("workflow_instance_id", "task", "attempt"),
    Index(
        "ix_pool_place_in_line",
        "pool",
        "workflow_rank",
        "task_rank",
        "since",
        "sequence",
        "workflow_instance_id",
    ),
)

slot_lease = Table(
    "slot_lease",
    metadata,
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("owner", Text),
    Column("epoch", BigId, nullable=False),
    Column("expires_at", UtcDateTime),
    postgresql_with={"fillfactor": "50"},
)

master = Table(
    "master",
    metadata,
    Column("incarnation", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("last_heartbeat", UtcDateTime, nullable=False),
    Column("version", Text),
    Column("left_at", UtcDateTime),
)
