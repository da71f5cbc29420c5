"""Owns the stored environments: named sets of variables that tasks and workflows refer to."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, or_, select, update

from orchestrator.core.definition import WorkflowDefinition, from_document
from orchestrator.errors import Conflict, NotFound
from orchestrator.store.clock import database_now
from orchestrator.store.schema import UNFINISHED, environment, workflow_definition, workflow_instance
from orchestrator.store.session import reading, writing

MOST_NAMED = 5
"""So many workflows that need an environment stand in a refusal."""


class Environments:
    """Reads and writes environments.

    Args:
        engine: Of any role.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list(self) -> dict[str, dict[str, str]]:
        """Return every environment's variables, by its name.

        Raises:
            StoreUnavailable: The database is away.
        """
        statement = select(environment.c.name, environment.c.variables).order_by(environment.c.name)
        with reading(self._engine) as connection:
            return {row.name: row.variables for row in connection.execute(statement)}

    def find(self, names: Collection[str]) -> dict[str, Mapping[str, Any]]:
        """Return the variables of these environments, by name; of those that there are.

        Raises:
            StoreUnavailable: The database is away.
        """
        if not names:
            return {}
        statement = select(environment.c.name, environment.c.variables)
        with reading(self._engine) as connection:
            rows = connection.execute(statement.where(environment.c.name.in_(sorted(names))))
            return {row.name: row.variables for row in rows}

    def delete(self, name: str, *, force: bool = False) -> None:
        """Delete an environment that nothing needs any more.

        Args:
            name: The environment.
            force: Also if something needs it: what is dispatched then fails, and names it.

        Raises:
            NotFound: There is no such environment.
            Conflict: A workflow that is online, or a run that goes on, refers to it.
            StoreUnavailable: The database is away.
        """
        row = select(environment.c.name).where(environment.c.name == name).with_for_update()
        with writing(self._engine) as connection:
            if connection.execute(row).scalar_one_or_none() is None:
                raise NotFound(f"there is no environment '{name}'")
            if not force:
                _refuse_if_needed(connection, name)
            connection.execute(delete(environment).where(environment.c.name == name))

    def set(
        self, name: str, variables: Mapping[str, str], *, without: Collection[str] = ()
    ) -> dict[str, str]:
        """Set variables of an environment, which is made if it is new; return all that it has then.

        Args:
            name: The environment.
            variables: What is set; others stay.
            without: Variables that are removed.

        Raises:
            StoreUnavailable: The database is away.
        """
        row = select(environment.c.variables).where(environment.c.name == name).with_for_update()
        with writing(self._engine) as connection:
            now = database_now(connection)
            stored = connection.execute(row).scalar_one_or_none()
            merged = {**(stored or {}), **variables}
            kept = {one: merged[one] for one in sorted(merged) if one not in without}
            if stored is None:
                connection.execute(insert(environment).values(name=name, variables=kept, updated_at=now))
            else:
                changed = update(environment).where(environment.c.name == name)
                connection.execute(changed.values(variables=kept, updated_at=now))
        return kept


def _refuse_if_needed(connection: Connection, name: str) -> None:
    """Raise if a workflow that is online, or the version of one that a run goes on with, names an environment."""
    version = workflow_definition.c
    last = select(func.max(version.id)).where(version.online).group_by(version.name)
    going_on = select(workflow_instance.c.definition_id).where(UNFINISHED)
    statement = select(version.name, version.version, version.online, version.document)
    chosen = statement.where(or_(version.id.in_(last), version.id.in_(going_on)))
    users = [
        f"'{row.name}' version {row.version}"
        for row in connection.execute(chosen.order_by(version.name, version.version))
        if name in _named(from_document(row.document))
    ]
    if users:
        more = f" and {len(users) - MOST_NAMED} more" if len(users) > MOST_NAMED else ""
        raise Conflict(
            f"environment '{name}' is needed by workflow {', '.join(users[:MOST_NAMED])}{more}, online or with"
            " runs that go on; take them offline, deploy them without it, or delete it with --force"
        )


def _named(definition: WorkflowDefinition) -> set[str | None]:
    return {definition.environment, *(task.environment for task in definition.tasks)}
