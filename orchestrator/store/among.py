"""Owns `among`: a list of values as one parameter, so that a statement is built once, however long the list is.

`column.in_(values)` is written out anew at each execution, which costs more than most of our queries do.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Dialect, bindparam, types
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import OperatorType

from orchestrator.store.session import to_json


class Values(types.UserDefinedType[Sequence[Any]]):
    """A list of numbers or of texts as one parameter: an array on PostgreSQL, JSON on SQLite."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        """Return what makes the driver's value of a list."""
        return to_json if dialect.name == "sqlite" else list


class Among(FunctionElement[bool]):
    """Whether the first clause is one of the second's values."""

    type = Boolean()
    inherit_cache = True

    def self_group(self, against: OperatorType | None = None) -> "Among":
        """Return itself: SQLAlchemy would write `= 1` behind it on SQLite, which then uses no index."""
        del against
        return self


def among(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Return whether `column` is one of the list that the statement's parameter `name` holds; it may be empty.

    Args:
        column: Of whole numbers or of texts.
        name: Of a parameter that is given at each execution, as a list.
    """
    return Among(column, bindparam(name, type_=Values()))


@compiles(Among, "postgresql")
def _postgres(element: Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} = ANY ({values}))"


@compiles(Among, "sqlite")
def _sqlite(element: Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} IN (SELECT value FROM json_each({values})))"  # noqa: S608  made of a column and a parameter
