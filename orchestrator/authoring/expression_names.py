"""Owns the names in an expression that no parser checks: its functions, and variables written without `${}`."""

import re
from collections.abc import Iterator

from orchestrator.authoring.expression_text import bound_names, without_texts
from orchestrator.authoring.expressions import Expression
from orchestrator.authoring.names import did_you_mean

FUNCTIONS = frozenset({
    "bytes", "contains", "double", "duration", "dyn", "endsWith", "getDate", "getDayOfMonth", "getDayOfWeek",
    "getDayOfYear", "getFullYear", "getHours", "getMilliseconds", "getMinutes", "getMonth", "getSeconds",
    "hasValue", "int", "matches", "none", "of", "ofNonZeroValue", "or", "orValue",
    "size", "startsWith", "string", "timestamp", "type", "uint", "value",
})  # fmt: skip
"""What the evaluator has; `tests/unit/authoring/test_expression_names.py` asks it."""

MACROS = {
    "all": "list.all(x, x > 0)",
    "exists": "list.exists(x, x > 0)",
    "exists_one": "list.exists_one(x, x > 0)",
    "existsOne": "list.existsOne(x, x > 0)",
    "filter": "list.filter(x, x > 0)",
    "has": "has(map.key)",
    "map": "list.map(x, x + 1)",
}
"""How each is written: one that is called in another way is a function of this name, which there is not."""

TYPES = frozenset({
    "bool", "bytes", "double", "int", "list", "map", "null_type", "optional", "optional_type", "string", "type",
    "uint",
})  # fmt: skip
"""Names that are no variables: `type(x) == int`."""

_ELSEWHERE = {
    "any": "exists", "count": "size", "float": "double", "includes": "contains",
    "integer": "int", "len": "size", "length": "size", "regex": "matches", "search": "matches", "str": "string",
}  # fmt: skip
"""What other languages call it."""


def unknown_functions(expression: Expression) -> Iterator[str]:
    """Yield a message for each function that the evaluator does not have, with a guess at what was meant."""
    for name in sorted(filter(str.isidentifier, expression.program.functions())):  # others are operators
        if name in MACROS:
            yield f"'{name}' is written {MACROS[name]}"
        elif name not in FUNCTIONS:
            yield f"there is no function '{name}'{_guess(name)}"


def bare_names(expression: Expression) -> Iterator[str]:
    """Yield the variables that are written without `${}`, but those that a macro binds and the names of types."""
    bound = bound_names(expression.source)
    for name, path in expression.variables.items():
        if name == path and name not in bound and name not in TYPES:
            yield name


def is_asked_for_fields(expression: Expression, name: str) -> bool:
    """Return whether a variable is only written `name.field`, as if it were a task and the field its output."""
    source = without_texts(expression.source)
    written = re.findall(rf"(?<![\w.]){re.escape(name)}\b(\s*\.\s*\w+(?!\w|\s*\())?", source)
    return bool(written) and all(written)


def _guess(name: str) -> str:
    if name in _ELSEWHERE:
        return f" (did you mean '{_ELSEWHERE[name]}'?)"
    known = FUNCTIONS | MACROS.keys()
    return did_you_mean(name, sorted(known)) or f"; functions: {', '.join(sorted(known))}"
