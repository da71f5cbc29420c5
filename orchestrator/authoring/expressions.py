"""Owns expressions: CEL over typed variables, parsed and evaluated within limits that protect the master.

`${name}` in an expression is a variable, never text; so is the bare name. Three nested macros over 300 elements
held the interpreter for seven seconds: hence the limits. So did one `filter` over 10,000: hence the reckoning
(`expression_costs`), by which the inputs of what builds lists, or looks for patterns, are shorter.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.authoring.expression_costs import Inputs, copies, longest, pattern_copies
from orchestrator.authoring.expression_text import MACRO, TEXT
from orchestrator.authoring.language import language
from orchestrator.core.parameters import Lookup, as_text
from orchestrator.errors import UnresolvedParameter

MAX_LENGTH = 1000
MAX_ELEMENTS = 10_000
MAX_INPUT_BYTES = 64 * 1024

MAX_COPIES = 2_000_000
"""Of elements, for one task: about a quarter of a second, in which its master does nothing else."""

_TOKEN = re.compile(
    rf"(?P<text>{TEXT})|(?P<reference>\$\{{[^{{}}]*\}})|(?P<macro>{MACRO})|(?P<open>\()|(?P<close>\))",
    re.DOTALL,
)
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


class Allowance:
    """What the expressions of one task may cost together, such as the cases of a switch.

    Args:
        copies: Of elements.
    """

    def __init__(self, copies: int = MAX_COPIES) -> None:
        self._left = copies
        self.touched = False

    def spend(self, copies: int) -> bool:
        """Take `copies` off; return whether there were as many."""
        self.touched = True
        self._left -= copies
        return self._left >= 0


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


def evaluate(expression: Expression, lookup: Lookup, allowance: Allowance | None = None) -> Any:
    """Return the value of `expression`.

    Args:
        expression: What `parse` gave.
        lookup: Where the variables' values come from; a variable without one may be bound by a macro.
        allowance: What this and other expressions of the task may cost together; without it, one of its own.

    Raises:
        UnresolvedParameter: A variable has no value, the input is too large, or the evaluation failed.
    """
    values = _values(expression, lookup)
    _check_limits(expression, values, allowance or Allowance())
    try:
        return expression.program.execute(values)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise UnresolvedParameter(f"'{expression.source}': {_first_line(error)}") from None


def holds(expression: Expression, lookup: Lookup, allowance: Allowance | None = None) -> bool:
    """Return whether `expression` is true; the arguments are those of `evaluate`.

    Raises:
        UnresolvedParameter: As `evaluate`, and if the value is neither true nor false.
    """
    value = evaluate(expression, lookup, allowance)
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
    return values


def _check_limits(expression: Expression, values: Mapping[str, Any], allowance: Allowance) -> None:
    inputs = Inputs(
        values={expression.variables[name]: value for name, value in values.items()},
        size=sum(len(as_text(value)) for value in values.values()),
        longest=longest(values),
    )
    if inputs.size > MAX_INPUT_BYTES or inputs.longest > MAX_ELEMENTS:
        raise UnresolvedParameter(
            f"inputs too large: an expression takes {MAX_INPUT_BYTES} bytes and lists of {MAX_ELEMENTS} elements"
        )
    before = " with the cases before it" if allowance.touched else ""
    if not allowance.spend(copies(expression.source, inputs)):
        patterns = " with its regular expressions" if pattern_copies(expression.source, inputs) else ""
        over = f" over a list of {inputs.longest} elements" if inputs.longest else ""
        raise UnresolvedParameter(
            f"inputs too large: '{expression.source}'{before}{patterns} would take too long{over};"
            " let a task filter, join or transform it"
        )


def _first_line(error: BaseException) -> str:
    text = str(error).partition("\n")[0]
    return re.sub(r"^Failed to parse expression '.*?': ERROR: <input>:", "not CEL: line and column ", text)
