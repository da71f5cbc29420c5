"""Owns Python scripts on their way in: pasted text becomes global names with the same value."""

import ast
import builtins
import io
import keyword
import re
import tokenize
import warnings
from collections.abc import Iterable

from orchestrator.importing.values import REFERENCE, TIME
from orchestrator.importing.variables import Variables

_PASTED = re.compile(rf"{REFERENCE.pattern}|{TIME.pattern}")
RESERVED = frozenset({*dir(builtins), *keyword.kwlist})
"""Names that a script needs for other things: no parameter may take them."""

_MARK = "pasted_{}_here"
_MARKED = re.compile(r"pasted_(\d+)_here")
_NOT_PYTHON = (tokenize.TokenError, SyntaxError, ValueError, RecursionError, MemoryError)
_NUMBERS = frozenset({"INTEGER", "LONG", "FLOAT", "DOUBLE", "BOOLEAN"})
_FSTRING_MIDDLE = getattr(tokenize, "FSTRING_MIDDLE", -1)  # an f-string is one token before Python 3.12
_NOT_CODE = frozenset({tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT})


def assigned_in_python(script: str) -> frozenset[str]:
    """Return the names that a script binds, and those that it must find as Python has them."""
    try:
        tree = _parsed(_PASTED.sub("0", script))
    except _NOT_PYTHON:
        return RESERVED
    return RESERVED.union(*(_bound(node) for node in ast.walk(tree)))


def _bound(node: ast.AST) -> list[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
            return [name]
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
        case ast.alias(name=name, asname=other):
            return [other or name.partition(".")[0]]
        case ast.ExceptHandler(name=str(name)):
            return [name]
    return []


def convert_python(script: str, variables: Variables) -> str:
    """Return the script with names in place of what was pasted into it.

    A reference in a text becomes a `.replace(…)` of that text, one in the code a name. What cannot keep its
    meaning is a gap in the variables' report.
    """
    pasted = list(_PASTED.finditer(script))
    names = [_variable(match, variables) for match in pasted]
    if not any(names):
        return script
    return _Python(script, pasted, names, variables).convert()


def _variable(match: re.Match[str], variables: Variables) -> str | None:
    if match[1] is not None:
        return variables.parameter(match[1])
    return variables.time(match[2])


class _Python:
    """One script in which each pasted text has become a mark that Python reads as a name."""

    def __init__(
        self, script: str, pasted: list[re.Match[str]], names: list[str | None], variables: Variables
    ) -> None:
        self._script = script
        self._pasted = pasted
        self._names = names
        self._variables = variables

    def convert(self) -> str:
        """Return the converted script, the script itself after a gap."""
        marked, end = [], 0
        for number, match in enumerate(self._pasted):
            if self._names[number] is not None:
                marked += [self._script[end : match.start()], _MARK.format(number)]
                end = match.end()
        text = "".join([*marked, self._script[end:]])
        try:
            tokens = _tokens(text)
        except _NOT_PYTHON as error:
            self._gap(f"is not Python once its parameters are names: {str(error).splitlines()[0]}")
            return self._script
        return self._written(text, tokens)

    def _written(self, text: str, tokens: list[tokenize.TokenInfo]) -> str:
        """Replace the marks from the end to the beginning, so that positions stay right."""
        starts = [0]
        for line in text.split("\n"):
            starts.append(starts[-1] + len(line) + 1)
        for token, following in reversed(list(zip(tokens, [*_following(tokens), None], strict=False))):
            if _MARKED.search(token.string) and token.type not in (tokenize.NEWLINE, tokenize.NL):
                begin = starts[token.start[0] - 1] + token.start[1]
                end = starts[token.end[0] - 1] + token.end[1]
                text = text[:begin] + self._token(token, following) + text[end:]
        return text

    def _token(self, token: tokenize.TokenInfo, following: tokenize.TokenInfo | None) -> str:
        numbers = list(dict.fromkeys(int(number) for number in _MARKED.findall(token.string)))
        if token.type == tokenize.STRING:
            return self._string(token.string, numbers, following)
        if token.type == _FSTRING_MIDDLE:
            return self._interpolated(token.string)
        if token.type == tokenize.NAME and _MARKED.fullmatch(token.string):
            return self._name(numbers[0])
        if token.type != tokenize.COMMENT:
            self._gap(f"a parameter is part of the name '{self._restored(token.string)}'")
        return self._restored(token.string)

    def _string(self, literal: str, numbers: list[int], following: tokenize.TokenInfo | None) -> str:
        prefix = literal[: re.search("['\"]", literal).start()].lower()  # type: ignore[union-attr] # it is a string
        if "b" in prefix:
            self._gap("a parameter stands in a bytes literal")
            return self._restored(literal)
        if "f" in prefix:
            return self._interpolated(literal)
        if following is not None and following.type == tokenize.STRING:
            self._gap("a parameter stands in a text that another text follows; join them with +")
        calls = (f".replace({_quoted(self._pasted[one][0])}, str({self._names[one]}))" for one in numbers)
        return self._restored(literal) + "".join(calls)

    def _interpolated(self, text: str) -> str:
        return _MARKED.sub(lambda match: f"{{{self._names[int(match[1])]}}}", text)

    def _name(self, number: int) -> str:
        name, source = self._names[number], self._pasted[number][1]
        known = self._variables.known
        if source in known.names and (
            known.kinds[source] in _NUMBERS or isinstance(known.values.get(source), int | float)
        ):
            return str(name)
        return f'__import__("ast").literal_eval(str({name}))'  # what was pasted there was a literal

    def _restored(self, text: str) -> str:
        return _MARKED.sub(lambda match: self._pasted[int(match[1])][0], text)

    def _gap(self, message: str) -> None:
        self._variables.report.gap(self._variables.field, message)


def _tokens(text: str) -> list[tokenize.TokenInfo]:
    """Return the tokens of a script; raises what Python raises if it is none."""
    _parsed(text)
    return list(tokenize.generate_tokens(io.StringIO(text).readline))


def _parsed(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Python thinks of the user's escapes is not asked here
        return ast.parse(text)


def _following(tokens: list[tokenize.TokenInfo]) -> Iterable[tokenize.TokenInfo | None]:
    """Return for each token the next one that is code."""
    found: list[tokenize.TokenInfo | None] = []
    after: tokenize.TokenInfo | None = None
    for token in reversed(tokens):
        found.append(after)
        if token.type not in _NOT_CODE:
            after = token
    return reversed(found)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
