"""Owns what is stored, for services that only look: who needs no broker does not load its library."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from orchestrator.config import Settings
from orchestrator.errors import SchemaMismatch
from orchestrator.store import migrate
from orchestrator.store.definitions import Definitions
from orchestrator.store.queries import Queries
from orchestrator.store.session import open_engine


class Records:
    """What is stored, opened when it is first needed.

    Args:
        settings: Where the database is.
        wait_for_schema: Called while the schema is not the right one; waits a little, and returns whether
            somebody is bringing it up to date, so that it is worth looking again.
    """

    def __init__(self, settings: Settings, wait_for_schema: Callable[[], bool] = lambda: False) -> None:
        self.settings = settings
        self._wait_for_schema = wait_for_schema

    @cached_property
    def engine(self) -> Any:
        """The database, its schema checked.

        Raises:
            SchemaMismatch: The schema is older or newer than this program.
        """
        engine = open_engine(
            self.settings.database, "service", connect_timeout_s=self.settings.connect_timeout_seconds
        )
        while True:
            try:
                migrate.check(engine)
            except SchemaMismatch:
                if self._wait_for_schema():
                    continue
                engine.dispose()
                raise
            return engine

    @cached_property
    def queries(self) -> Queries:
        """The read model."""
        return Queries(self.engine)

    @cached_property
    def definitions(self) -> Definitions:
        """Stored definitions."""
        return Definitions(self.engine)

    def close(self) -> None:
        """Close what was opened."""
        if "engine" in vars(self):
            self.engine.dispose()
