"""Owns the reading of SQL text as far as needed: where a statement ends, and where a `${parameter}` stands.

It knows strings, quoted names, comments and dollar quotes as the dialect writes them, and nothing else of SQL.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

DOLLAR_QUOTES = frozenset({"postgresql", "cockroachdb", "redshift", "duckdb", "snowflake"})
NESTED_COMMENTS = frozenset({"postgresql", "cockroachdb", "mssql", "duckdb"})
BACKSLASHES = frozenset({"mysql", "mariadb", "bigquery", "snowflake", "clickhouse"})
BRACKETS = frozenset({"sqlite", "mssql"})
HASH_COMMENTS = frozenset({"mysql", "mariadb"})

ROUTINES = frozenset({"TRIGGER", "FUNCTION", "PROCEDURE", "EVENT", "PACKAGE"})
TRANSACTION = frozenset({"BEGIN", "START", "COMMIT", "END", "ROLLBACK"})

_PARAMETER = re.compile(r"\$\$\{|\$\{([^{}]*)\}")
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_INSIDE = {
    "string": "inside a string; it is a bound parameter and needs no quotes",
    "name": "inside a quoted name; only values can be parameters",
    "dollar": "inside a dollar-quoted text; only values of the statement itself can be parameters",
}
_DOLLAR = r"(?<![\w$])\$(?P<tag>(?:[^\W\d]\w*)?)\$"
_UNENDED = {"'": "a string", '"': "a quoted name", "`": "a quoted name", "/*": "a comment"}


class SqlFault(ValueError):
    """The text cannot be read as SQL statements; the message says which and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement.

    Attributes:
        text: As SQLAlchemy's `text()` takes it: parameters are `:p0`, `:p1`, …, every other colon is escaped.
        paths: What stands behind `p0`, `p1`, …: paths of references.
    """

    text: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def split(sql: str, dialect: str) -> list[Statement]:
    """Return the statements of `sql`; what is empty between semicolons is left out.

    Args:
        sql: Statements with `;` between them.
        dialect: SQLAlchemy's name of the dialect (`postgresql`, `sqlite`, `mysql`, …).

    Raises:
        SqlFault: A string or comment has no end, a parameter stands where it cannot be bound, or a statement
            would begin or end a transaction.
    """
    statements: list[Statement] = []
    for tokens in _groups(_tokens(sql, dialect)):
        if any(token.kind not in ("space", "comment") for token in tokens):
            statements.append(_statement(tokens, len(statements) + 1))
    return statements


def _groups(tokens: Iterator[_Token]) -> Iterator[list[_Token]]:
    group: list[_Token] = []
    block = _Block()
    for token in tokens:
        if token.kind == "end" and not block.is_open:
            yield group
            group, block = [], _Block()
            continue
        if token.kind == "word":
            block.see(" ".join(token.text.upper().split()))
        group.append(token)
    yield group


class _Block:
    """Knows whether a semicolon stands between BEGIN and END of a routine, where it ends no statement."""

    def __init__(self) -> None:
        self._first = ""
        self._is_routine = False
        self._depth = 0

    @property
    def is_open(self) -> bool:
        """Whether a BEGIN waits for its END."""
        return self._depth > 0

    def see(self, word: str) -> None:
        """Go on with the next word."""
        self._first = self._first or word
        if self._is_routine and word in ("BEGIN", "CASE"):
            self._depth += 1
        elif word in ("END", "END CASE") and self._depth:
            self._depth -= 1
        elif self._first in ("CREATE", "ALTER") and word in ROUTINES:
            self._is_routine = True


def _statement(tokens: list[_Token], number: int) -> Statement:
    words = [token.text.upper() for token in tokens if token.kind == "word"][:2]
    if words and words[0] in TRANSACTION and words[1:] != ["TO"]:
        raise SqlFault(
            f"statement {number}: {words[0]} has no place here; all statements are one transaction"
        )
    paths: list[str] = []
    parts = []
    for token in tokens:
        if token.kind == "parameter":
            parts.append(f" :p{len(paths)} ")
            paths.append(token.text)
        else:
            parts.append(_literal(token, number))
    return Statement(text="".join(parts).strip(), paths=tuple(paths))


def _literal(token: _Token, number: int) -> str:
    """Return text that no parameter stands in, as it is for the database."""
    if token.kind == "unended":
        raise SqlFault(f"statement {number}: {_UNENDED.get(token.text, 'a dollar-quoted text')} has no end")
    if token.kind in _INSIDE:
        for match in _PARAMETER.finditer(token.text):
            if match[0] != "$${":
                raise SqlFault(f"statement {number}: {match[0]} stands {_INSIDE[token.kind]}")
    return token.text.replace("$${", "${").replace(":", "\\:")


def _tokens(sql: str, dialect: str) -> Iterator[_Token]:
    pattern = _pattern(dialect)
    position = 0
    while position < len(sql):
        match = pattern.match(sql, position)
        assert match is not None  # noqa: S101 - the last alternative takes any character
        kind = match.lastgroup or "other"
        end = match.end()
        if match[0] == "/*":
            end = _end_of_comment(sql, position, is_nested=dialect in NESTED_COMMENTS)
            kind = "comment" if end else "unended"
        end = end or match.end()
        text = match["parameter"][2:-1] if kind == "parameter" else sql[position:end]
        yield _Token(kind, text)
        position = end


def _end_of_comment(sql: str, start: int, *, is_nested: bool) -> int:
    """Return where the comment that begins at `start` ends, or 0."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(sql, start):
        depth += 1 if edge[0] == "/*" and (is_nested or not depth) else -1 if edge[0] == "*/" else 0
        if not depth:
            return edge.end()
    return 0


def _pattern(dialect: str) -> re.Pattern[str]:
    backslashes, dollars = dialect in BACKSLASHES, dialect in DOLLAR_QUOTES
    alternatives = {
        "escape": r"\$\$\{",
        "parameter": r"\$\{[^{}]*\}",
        "comment": r"--[^\n]*" + (r"|\#[^\n]*" if dialect in HASH_COMMENTS else ""),
        "open": r"/\*",
        "string": rf"(?<!\w)E{_quoted(chr(39), backslashes=True)}|{_quoted(chr(39), backslashes=backslashes)}",
        "name": "|".join(_names(dialect, backslashes=backslashes)),
        "dollar": rf"{_DOLLAR}.*?\$(?P=tag)\$" if dollars else "(?!)",
        "unended": r"['\"`]" + (rf"|{_DOLLAR.replace('?P<tag>', '?:')}" if dollars else ""),
        "end": ";",
        "word": r"END\s+(?:IF|LOOP|WHILE|REPEAT|FOR|CASE)\b|[^\W\d]\w*",
        "space": r"\s+",
        "other": r"[^\s\w;'\"`$\[/\-\#]+|.",
    }
    named = (f"(?P<{name}>{expression})" for name, expression in alternatives.items())
    return re.compile("|".join(named), re.DOTALL | re.IGNORECASE)


def _names(dialect: str, *, backslashes: bool) -> Iterator[str]:
    yield _quoted('"', backslashes=backslashes)
    yield _quoted("`", backslashes=False)
    if dialect in BRACKETS:
        yield r"\[[^\]]*\]"


def _quoted(quote: str, *, backslashes: bool) -> str:
    inside = rf"[^{quote}\\]|\\.|{quote}{quote}" if backslashes else rf"[^{quote}]|{quote}{quote}"
    return rf"{quote}(?:{inside})*+{quote}"
