"""Owns the stored environments: named sets of variables that tasks and workflows refer to."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Engine, insert, select, update

from orchestrator.store.clock import database_now
from orchestrator.store.schema import environment
from orchestrator.store.session import reading, writing


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
