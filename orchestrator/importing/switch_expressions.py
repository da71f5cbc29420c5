"""Owns the conditions of a switch on their way in: from JavaScript with pasted values to CEL with typed ones."""

import re
from collections.abc import Sequence

from orchestrator.importing.values import SYSTEM
from orchestrator.importing.variables import Known

_TOKEN = re.compile(
    r"\s*(?:(?P<reference>['\"]*\$\{[^{}]*\}['\"]*)|(?P<number>\d+(?:\.\d+)?)(?![\w.])"
    r"|(?P<text>'[^'\\\n]*'|\"[^\"\\\n]*\")|(?P<word>true|false)\b|(?P<operator>===|!==|==|!=|<=|>=|&&|\|\||[<>!()+*/%-]))"
)
_SAME = {"===": "==", "!==": "!="}
_COMPARISONS = frozenset({"==", "!=", "<", ">", "<=", ">="})
_NUMBERS = frozenset({"INTEGER", "LONG", "FLOAT", "DOUBLE"})


class NotTranslatable(ValueError):
    """The condition is more than comparisons, arithmetic and logic; the message says what was met."""


def convert_condition(condition: str, known: Known) -> str:
    """Return the CEL expression that means the same as a condition in JavaScript.

    A parameter that is compared with a number is read as a number, one that is compared with a text as a text:
    JavaScript compares across types.

    Raises:
        NotTranslatable: It calls something, or uses another operator than `== != < > <= >= && || ! + - * / %`.
    """
    tokens = list(_tokens(condition))
    if not any(kind == "reference" for kind, _ in tokens):
        raise NotTranslatable("it refers to no parameter")
    return " ".join(_written(tokens, index, known) for index in range(len(tokens))).strip()


def _tokens(condition: str) -> Sequence[tuple[str, str]]:
    found, end, text = [], 0, condition.strip().removesuffix(";")
    while end < len(text):
        match = _TOKEN.match(text, end)
        if match is None:
            raise NotTranslatable(f"'{text[end : end + 30].strip()}' cannot be translated into CEL")
        kind = str(match.lastgroup)
        found.append((kind, match[kind]))
        end = match.end()
    return found


def _written(tokens: Sequence[tuple[str, str]], index: int, known: Known) -> str:
    kind, text = tokens[index]
    match kind:
        case "operator":
            return _SAME.get(text, text)
        case "reference":
            return _reference(text, _opposite(tokens, index), known)
        case _:
            return text


def _reference(text: str, opposite: str, known: Known) -> str:
    name = text.strip("'\"")[2:-1].strip()
    if name in SYSTEM and not SYSTEM[name].startswith("${"):
        raise NotTranslatable(f"${{{name}}} is a time; declare a parameter with this value and compare that")
    reference = SYSTEM.get(name) or f"${{{known.our_name(name)}}}"
    is_number = isinstance(known.values.get(name), int | float) or known.kinds.get(name) in _NUMBERS
    if opposite == "number" and not is_number:
        return f"double({reference})"
    if opposite == "text" and is_number:
        return f"string({reference})"
    return reference


def _opposite(tokens: Sequence[tuple[str, str]], index: int) -> str:
    """Return what kind of thing the one at `index` is compared or reckoned with: `number`, `text`, or neither."""
    for step in (1, -1):
        operator, other = index + step, index + 2 * step
        if 0 <= operator < len(tokens) and 0 <= other < len(tokens):
            kind, text = tokens[operator]
            joins = text in _COMPARISONS or _SAME.get(text) or text in "+-*/%"
            if kind == "operator" and joins and tokens[other][0] in ("number", "text"):
                return tokens[other][0]
    return ""
