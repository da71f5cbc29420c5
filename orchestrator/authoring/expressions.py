"""Owns expressions: CEL over typed variables, parsed and evaluated within limits that protect the master.

`${name}` in an expression is a variable, never text; so is the bare name. Three nested macros over 300 elements
held the interpreter for seven seconds: hence the limits. So did one `filter` over 10,000: what builds lists copies
them at each step, which is why its inputs are shorter.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.authoring.language import language
from orchestrator.core.parameters import Lookup, as_text
from orchestrator.errors import UnresolvedParameter

MAX_LENGTH = 1000
MAX_ELEMENTS = 10_000
MAX_INPUT_BYTES = 64 * 1024
MAX_COPIES = 2_000_000
"""Of elements, by the rough count of `_copies`: about a quarter of a second."""

_TOKEN = re.compile(
    r"""(?P<text>[rRbB]{0,2}(?:'''.*?'''|\"\"\".*?\"\"\"|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))"""
    r"|(?P<reference>\$\{[^{}]*\})"
    r"|(?P<macro>\.\s*(?:all|exists|exists_one|existsOne|map|filter|transformList|transformMap\w*)\s*\()"
    r"|(?P<open>\()|(?P<close>\))",
    re.DOTALL,
)
_BUILDER = re.compile(r"\.\s*(?:map|filter|transformList|transformMap\w*)\s*\(|\bin\b")
_MACRO = re.compile(r"\.\s*(?:all|exists|exists_one|existsOne|map|filter|transformList|transformMap\w*)\s*\(")
_PATH = re.compile(r"[\w-]+(?:\.[\w-]+)*")


class ExpressionFault(ValueError):
    """The expression cannot be parsed or breaks a limit; the message says which and where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """A parsed expression.

    Attributes:
        source: As the user wrote it.
        variables: Variable name in the program to the reference that it stands for.
    """

    source: str
    variables: Mapping[str, str]
    program: Any = field(repr=False, compare=False)


def parse(source: str) -> Expression:
    """Return the expression that `source` writes down.

    Raises:
        ExpressionFault: It does not parse, is too long, nests macros, or has a reference inside quotes.
    """
    if len(source) > MAX_LENGTH:
        raise ExpressionFault(f"an expression has at most {MAX_LENGTH} characters, this one {len(source)}")
    translated, references = _translate(source)
    try:
        program = language().compile(translated)
    except ValueError as error:
        raise ExpressionFault(_first_line(error)) from None
    variables = {name: name for name in program.variables() if name not in references}
    return Expression(source=source, variables=variables | references, program=program)


def evaluate(expression: Expression, lookup: Lookup) -> Any:
    """Return the value of `expression`.

    Args:
        expression: What `parse` gave.
        lookup: Where the variables' values come from; a variable without one may be bound by a macro.

    Raises:
        UnresolvedParameter: A variable has no value, the input is too large, or the evaluation failed.
    """
    values = _values(expression, lookup)
    try:
        return expression.program.execute(values)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise UnresolvedParameter(f"'{expression.source}': {_first_line(error)}") from None


def holds(expression: Expression, lookup: Lookup) -> bool:
    """Return whether `expression` is true.

    Raises:
        UnresolvedParameter: As `evaluate`, and if the value is neither true nor false.
    """
    value = evaluate(expression, lookup)
    if not isinstance(value, bool):
        raise UnresolvedParameter(f"'{expression.source}' is neither true nor false")
    return value


def _translate(source: str) -> tuple[str, dict[str, str]]:
    """Return the source with references as variables, after checking what the parser would not."""
    references: dict[str, str] = {}
    parts: list[str] = []
    open_macros: list[bool] = []
    end = 0
    for token in _TOKEN.finditer(source):
        parts.append(source[end : token.start()])
        end = token.end()
        parts.append(_token(token, references, open_macros))
    return "".join([*parts, source[end:]]), references


def _token(token: re.Match[str], references: dict[str, str], open_macros: list[bool]) -> str:
    match token.lastgroup:
        case "reference":
            return _variable(token[0], references)
        case "text" if "${" in token[0]:
            raise ExpressionFault(f"a reference stands inside quotes: {token[0]}; write it without them")
        case "macro" if any(open_macros):
            raise ExpressionFault(f"a macro stands inside a macro: {token[0].strip()}")
        case "macro":
            open_macros.append(True)
        case "open":
            open_macros.append(False)
        case "close" if open_macros:
            open_macros.pop()
    return token[0]


def _variable(reference: str, references: dict[str, str]) -> str:
    path = reference[2:-1]
    if not _PATH.fullmatch(path):
        raise ExpressionFault(f"'{reference}' is not a reference; write ${{name}} or ${{task.name}}")
    name = "v_" + re.sub(r"\W", "__", path)
    references[name] = path
    return name


def _values(expression: Expression, lookup: Lookup) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, path in expression.variables.items():
        try:
            values[name] = lookup.value(path)
        except LookupError:
            if name != path:
                raise UnresolvedParameter(f"${{{path}}} has no value") from None
    size = sum(len(as_text(value)) for value in values.values())
    if size > MAX_INPUT_BYTES or any(_is_long(value) for value in values.values()):
        raise UnresolvedParameter(
            f"inputs too large: an expression takes {MAX_INPUT_BYTES} bytes and lists of {MAX_ELEMENTS} elements"
        )
    longest = max((len(value) for value in values.values() if _is_collection(value)), default=0)
    if _copies(expression.source, longest) > MAX_COPIES:
        raise UnresolvedParameter(
            f"inputs too large: '{expression.source}' would take too long over a list of {longest} elements;"
            " let a task filter, join or transform it"
        )
    return values


def _copies(source: str, longest: int) -> int:
    """Return how many elements the evaluation may copy: each step of what builds a list copies all before it."""
    parts = source.count("+") + 1
    if not _MACRO.search(source):
        return parts**2 * longest
    builders = len(_BUILDER.findall(source))
    return (builders + parts**3) * longest**2 if builders or parts > 1 else longest


def _is_collection(value: Any) -> bool:
    return isinstance(value, list | tuple | Mapping)


def _is_long(value: Any) -> bool:
    return _is_collection(value) and len(value) > MAX_ELEMENTS


def _first_line(error: BaseException) -> str:
    text = str(error).partition("\n")[0]
    return re.sub(r"^Failed to parse expression '.*?': ERROR: <input>:", "not CEL: line and column ", text)
