"""Owns the database's clock: the only one that leases, timers and rows go by."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from orchestrator.store.columns import UtcDateTime
from orchestrator.store.session import SQLITE_CLOCK


class Now(FunctionElement[datetime]):
    """The database's time at this moment, as a column of any query; aware UTC."""

    type = UtcDateTime()
    inherit_cache = True


@compiles(Now, "postgresql")
def _postgres(_element: Now, _compiler: SQLCompiler, **_options: Any) -> str:
    return "clock_timestamp()"  # now() is the start of the transaction


@compiles(Now, "sqlite")
def _sqlite(_element: Now, _compiler: SQLCompiler, **_options: Any) -> str:
    return f"{SQLITE_CLOCK}()"


ASK = select(Now())


def database_now(connection: Connection) -> datetime:
    """Return the database's time at this moment, aware UTC."""
    now: datetime = connection.execute(ASK).scalar_one()
    return now
