"""Owns the stored definitions: their versions, and whether they are online."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, RowMapping, delete, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from orchestrator.core.definition import WorkflowDefinition, from_document, to_document
from orchestrator.errors import Conflict, NotFound
from orchestrator.store import schedule_rows
from orchestrator.store.clock import database_now
from orchestrator.store.schema import serial_holder, workflow_definition, workflow_instance
from orchestrator.store.session import is_postgres, reading, writing
from orchestrator.store.storable import check_storable

columns = workflow_definition.c

ADVISORY_SPACE = 0x6F726368
ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(:space, hashtext(:name))")
"""Rows cannot be locked instead: the first version has none, and runs that are inserted lock them, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """What became of a deployment.

    Attributes:
        created: Whether there is a new version; an unchanged definition makes none.
    """

    id: int
    name: str
    version: int
    online: bool
    created: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDefinition:
    """One version of a definition as it is stored."""

    id: int
    version: int
    online: bool
    created_at: datetime
    definition: WorkflowDefinition


class Definitions:
    """Stores definitions; a version never changes what it means.

    Args:
        engine: Of any role.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def deploy(
        self, definition: WorkflowDefinition, *, online: bool = True, schedules: bool = True
    ) -> Deployed:
        """Store `definition` as the next version of its name, unless its last version is the same.

        Where the file was deployed from is not part of a version: it is noted anew each time.

        Args:
            definition: A valid definition.
            online: Whether runs may be started from now on.
            schedules: Whether its schedules become what it says; else they stay as they are.

        Raises:
            UserError: A text in it cannot be stored.
            StoreUnavailable: The database is away.
        """
        document = to_document(definition)
        check_storable(document, f"definition '{definition.name}'")
        with writing(self._engine) as connection:
            was_online = _is_online(connection, definition.name)
            while True:
                last = _find(connection, definition.name, None)
                if last is not None and last["hash"] == definition.hash:
                    deployed = _renew(connection, last, document, online=online)
                    break
                version = last["version"] + 1 if last is not None else 1
                number = _insert(connection, definition, document, version, online=online)
                if number is not None:
                    deployed = Deployed(
                        id=number, name=definition.name, version=version, online=online, created=True
                    )
                    break
                # another deployment of this name was quicker: compare with what it left
            connection.execute(
                update(workflow_definition).where(columns.name == definition.name).values(online=online)
            )
            if schedules:
                _set_schedules(connection, definition, online=online, was_online=was_online)
        return deployed

    def get(self, name: str, version: int | None = None) -> StoredDefinition:
        """Return a version of a definition; by default the last one.

        Raises:
            NotFound: There is none of this name, or not this version.
            StoreUnavailable: The database is away.
        """
        with reading(self._engine) as connection:
            row = _find(connection, name, version)
        if row is None:
            which = "" if version is None else f" version {version}"
            raise NotFound(f"there is no workflow definition '{name}'{which}")
        return _stored(row)

    def list(self) -> tuple[StoredDefinition, ...]:
        """Return the last version of every definition, by name.

        Raises:
            StoreUnavailable: The database is away.
        """
        last = (
            select(columns.name, func.max(columns.version).label("version")).group_by(columns.name).subquery()
        )
        joined = workflow_definition.join(
            last, (columns.name == last.c.name) & (columns.version == last.c.version)
        )
        statement = select(workflow_definition).select_from(joined).order_by(columns.name)
        with reading(self._engine) as connection:
            return tuple(_stored(row) for row in connection.execute(statement).mappings())

    def delete(self, name: str) -> None:
        """Delete every version of a definition, and its schedules.

        Raises:
            NotFound: There is none of this name.
            Conflict: It is online, or has runs.
            StoreUnavailable: The database is away.
        """
        with writing(self._engine) as connection:
            hold_name(connection, name)
            _refuse_deletion(connection, name)
            schedule_rows.delete_all(connection, name)
            connection.execute(delete(serial_holder).where(serial_holder.c.workflow == name))
            connection.execute(delete(workflow_definition).where(columns.name == name))

    def set_online(self, name: str, *, online: bool) -> None:
        """Allow or refuse new runs of a definition, and have its schedules fire or rest; running ones go on.

        Raises:
            NotFound: There is none of this name.
            StoreUnavailable: The database is away.
        """
        statement = update(workflow_definition).where(columns.name == name).values(online=online)
        with writing(self._engine) as connection:
            last = _find(connection, name, None)
            if last is None:
                raise NotFound(f"there is no workflow definition '{name}'")
            was_online = _is_online(connection, name)
            connection.execute(statement)
            definition = from_document(last["document"])
            _set_schedules(connection, definition, online=online, was_online=was_online)


def _refuse_deletion(connection: Connection, name: str) -> None:
    """Raise unless a workflow exists, is offline, and has no runs."""
    online = list(connection.execute(select(columns.online).where(columns.name == name)).scalars())
    if not online:
        raise NotFound(f"there is no workflow definition '{name}'")
    if any(online):
        raise Conflict(
            f"workflow definition '{name}' is online; first: orchestrator definitions offline {name}"
        )
    runs = select(func.count()).where(workflow_instance.c.workflow == name)
    if count := connection.execute(runs).scalar_one():
        raise Conflict(
            f"workflow definition '{name}' has runs ({count}), which need it; leave it offline,"
            " or delete them"
        )


def hold_name(connection: Connection, name: str) -> None:
    """Let whoever else changes what belongs to this name wait for the end of the transaction."""
    if is_postgres(connection):  # SQLite has one writer anyway
        connection.execute(ONE_AT_A_TIME, {"space": ADVISORY_SPACE, "name": name})


def _is_online(connection: Connection, name: str) -> bool:
    """Return whether runs may be started; whoever changes the same name at the same time waits here."""
    hold_name(connection, name)
    return any(connection.execute(select(columns.online).where(columns.name == name)).scalars())


def _set_schedules(
    connection: Connection, definition: WorkflowDefinition, *, online: bool, was_online: bool
) -> None:
    if online:
        schedule_rows.keep(connection, definition, was_online=was_online)
    else:
        schedule_rows.stop(connection, definition.name)


def _find(connection: Connection, name: str, version: int | None) -> RowMapping | None:
    statement = (
        select(workflow_definition).where(columns.name == name).order_by(columns.version.desc()).limit(1)
    )
    if version is not None:
        statement = statement.where(columns.version == version)
    return connection.execute(statement).mappings().one_or_none()


def _renew(
    connection: Connection, last: RowMapping, document: dict[str, object], *, online: bool
) -> Deployed:
    if last["document"] != document:
        statement = update(workflow_definition).where(columns.id == last["id"])
        connection.execute(statement.values(document=document))
    return Deployed(id=last["id"], name=last["name"], version=last["version"], online=online, created=False)


def _insert(
    connection: Connection,
    definition: WorkflowDefinition,
    document: dict[str, object],
    version: int,
    *,
    online: bool,
) -> int | None:
    """Return the id of the new row, or `None` if somebody else took this version."""
    dialect = postgresql if is_postgres(connection) else sqlite
    return connection.execute(
        dialect.insert(workflow_definition)
        .values(
            name=definition.name,
            version=version,
            hash=definition.hash,
            document=document,
            online=online,
            created_at=database_now(connection),
        )
        .on_conflict_do_nothing(index_elements=["name", "version"])
        .returning(columns.id)
    ).scalar_one_or_none()


def _stored(row: RowMapping) -> StoredDefinition:
    return StoredDefinition(
        id=row["id"],
        version=row["version"],
        online=row["online"],
        created_at=row["created_at"],
        definition=from_document(row["document"]),
    )
