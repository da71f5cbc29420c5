"""Statements end where the dialect says; parameters are bound, or refused where none can be."""

import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.worker.executors.sql_statements import SqlFault, split

TRIGGER = (
    "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE b SET c = CASE WHEN 1 THEN 2 END; DELETE FROM d; END"
)
LOOP = "CREATE PROCEDURE p() BEGIN IF x THEN SET y = 1; END IF; CASE x WHEN 1 THEN SET y = 2; END CASE; END"
FUNCTION = "CREATE FUNCTION f() RETURNS int AS $$ BEGIN RETURN 1; END $$ LANGUAGE plpgsql"


def texts(sql: str, dialect: str = "postgresql") -> list[str]:
    """Return the statements as the database gets them."""
    return [str(sqlalchemy.text(one.text)) for one in split(sql, dialect)]


@pytest.mark.parametrize(
    ("dialect", "statements"),
    [
        ("postgresql", ["SELECT ';' AS a", "SELECT 2"]),
        ("postgresql", ["SELECT 'it''s;'", 'SELECT "a;b"']),
        ("postgresql", [r"SELECT 'C:\'", "SELECT 2"]),
        ("postgresql", [r"SELECT E'it\'s;'", "SELECT 2"]),
        ("postgresql", ["SELECT $q$a;b$$;$q$", "DO $$ BEGIN PERFORM 1; END $$", "SELECT a[1]"]),
        ("postgresql", [FUNCTION, "SELECT f()"]),
        ("postgresql", ["SELECT 1 /* a; /* b; */ c; */", "SELECT 2 -- d; e\n"]),
        ("postgresql", ["SELECT CASE WHEN 1 THEN 2 END", "SELECT '2026-11-01 10:30'::timestamp"]),
        ("sqlite", [TRIGGER, "SELECT 3"]),
        ("sqlite", ["SELECT [a;b], `c;d`", "SELECT 1 /* a /* b */"]),
        ("mysql", [r"SELECT 'it\'s;'", "SELECT 1 # a; b\n", LOOP, "SELECT 2"]),
        ("mssql", ["SELECT [a;b] FROM c", "SELECT 2"]),
        ("oracle", ["SELECT q FROM dual", "SELECT 2 FROM dual"]),
    ],
)
def test_statements_end_at_their_semicolons(dialect: str, statements: list[str]) -> None:
    """Not at those in strings, names, comments, dollar quotes and routines."""
    assert texts(";\n".join(statements), dialect) == [one.strip() for one in statements]


@pytest.mark.parametrize("sql", ["", " ; ;\n;", "-- nothing\n", "/* ; */;"])
def test_what_is_empty_is_no_statement(sql: str) -> None:
    """Comments and semicolons alone do nothing."""
    assert split(sql, "sqlite") == []


def test_parameters_are_bound() -> None:
    """By number, in their order; a cast stays a cast; the text `${` is written `$${`."""
    (one,) = split("SELECT ${a}::int, ${b.c}, LIMIT${a}, ':x', '$${d}'", "postgresql")

    assert one.paths == ("a", "b.c", "a")
    compiled = sqlalchemy.text(one.text).bindparams(p0=1, p1=2, p2=3).compile()
    assert str(compiled) == "SELECT  :p0 ::int,  :p1 , LIMIT :p2 , ':x', '${d}'"
    assert compiled.params == {"p0": 1, "p1": 2, "p2": 3}


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("SELECT '${x}'", r"statement 1: \$\{x\} stands inside a string; it is a bound parameter"),
        ('SELECT 1; SELECT "${x}"', "statement 2: .* inside a quoted name"),
        ("DO $$ SELECT ${x} $$", "inside a dollar-quoted text"),
        ("SELECT 'abc", "statement 1: a string has no end"),
        ("SELECT $a$ b", "a dollar-quoted text has no end"),
        ("SELECT 1 /* b", "a comment has no end"),
        ("BEGIN; SELECT 1", "statement 1: BEGIN has no place here; all statements are one transaction"),
        ("SELECT 1; commit", "statement 2: COMMIT has no place here"),
    ],
)
def test_what_cannot_be_meant_is_refused(sql: str, fault: str) -> None:
    """The message names the statement and what is wrong."""
    with pytest.raises(SqlFault, match=fault):
        split(sql, "postgresql")


def test_a_savepoint_may_be_rolled_back_to() -> None:
    """It does not end the transaction."""
    assert len(split("SAVEPOINT a; ROLLBACK TO a", "sqlite")) == 2


@given(st.text("ab;'\"`-/*$[]{}\\:\n\r E0#"), st.sampled_from(["postgresql", "sqlite", "mysql", "mssql"]))
def test_any_text_is_read_or_refused(sql: str, dialect: str) -> None:
    """Whatever is written, it is statements or a fault, in time."""
    try:
        for one in split(sql, dialect):
            sqlalchemy.text(one.text)
    except SqlFault:
        pass
