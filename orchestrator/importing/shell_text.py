"""Owns shell scripts on their way in: pasted text becomes variables that the shell expands to the same words.

DolphinScheduler pastes `${x}` and `$[...]` into the text before the shell reads it, between single quotes and in
quoted here-documents too. Here the shell itself expands the variable, so where it would not, the quoting changes.
"""

import re
from collections.abc import Callable

from orchestrator.importing.values import REFERENCE, TIME
from orchestrator.importing.variables import Variables

_PASTED = re.compile(rf"{REFERENCE.pattern}|{TIME.pattern}")
_HERE = re.compile(r"<<(?P<dash>-?)[ \t]*(?P<word>'[^'\n]*'|\"[^\"\n]*\"|\\?[\w.+-]+)")
_IN_BRACES = re.compile(r"\.\.\$\{\w+\}|\{\$\{\w+\}\.\.")
_SET = (
    r"(?:^|[\s;&|(`])(?:(?:export|local|readonly|declare|typeset)\s+(?:-\w+\s+)*)?({name})\+?=",
    r"\bfor\s+({name})\b",
    r"\bread\s+(?:-\w+\s+)*(?:\w+\s+)*({name})\b",
)
_BEFORE_COMMENT = " \t\n;|&("
_CLOSING = {"sub": ")", "paren": ")", "arithmetic": "))", "tick": "`", "double": '"'}


def assigned_in(script: str) -> frozenset[str]:
    """Return the variables that a shell script sets."""
    name = r"[A-Za-z_]\w*"
    return frozenset(
        found
        for pattern in _SET
        for found in re.findall(pattern.replace("{name}", name), script, re.MULTILINE)
    )


def convert_shell(script: str, variables: Variables) -> str:
    """Return the script with variables in place of what was pasted into it.

    What cannot keep its meaning is a gap in the variables' report.
    """
    converted = _Shell(script, variables).convert()
    if _IN_BRACES.search(converted):
        variables.report.gap(
            variables.field,
            "a parameter stands in a {a..b} range, which the shell expands before variables; write $(seq …)",
        )
    return converted


class _Shell:
    """One pass over a script with a stack of what is open: quotes, substitutions, arithmetic."""

    def __init__(self, script: str, variables: Variables) -> None:
        self._text = script
        self._variables = variables
        self._at = 0
        self._out: list[str] = []
        self._open: list[str] = []
        self._here: list[tuple[re.Match[str], int]] = []

    def convert(self) -> str:
        """Return the converted script."""
        while self._at < len(self._text):
            self._step()
        return "".join(self._out)

    def _step(self) -> None:
        rest = self._text[self._at : self._at + 2]
        inside = self._open[-1] if self._open else ""
        match rest[0]:
            case "\\":
                self._escaped()
            case "$":
                self._dollar(rest)
            case '"':
                self._toggle("double")
            case "`":
                self._toggle("tick")
            case _ if inside == "double":
                self._copy(1)
            case _:
                self._unquoted(rest, inside)

    def _unquoted(self, rest: str, inside: str) -> None:
        match rest[0]:
            case "\n" if self._here:
                self._here_documents()
            case "'":
                self._single()
            case "(" | ")":
                self._parenthesis(rest, inside)
            case "#" if inside != "arithmetic" and self._begins_word():
                self._copy(self._until("\n"))
            case "<" if rest == "<<" and inside != "arithmetic":
                self._here_begins()
            case _:
                self._copy(1)

    def _copy(self, count: int) -> None:
        self._out.append(self._text[self._at : self._at + count])
        self._at += count

    def _until(self, end: str) -> int:
        found = self._text.find(end, self._at)
        return (found if found >= 0 else len(self._text)) - self._at

    def _begins_word(self) -> bool:
        return self._at == 0 or self._text[self._at - 1] in _BEFORE_COMMENT

    def _escaped(self) -> None:
        match = _PASTED.match(self._text, self._at + 1)
        if match and (variable := self._variable(match)):
            self._out.append(f"${{{variable}}}")  # the backslash would have stood before the pasted value
            self._at = match.end()
        else:
            self._copy(2)

    def _dollar(self, rest: str) -> None:
        match = _PASTED.match(self._text, self._at)
        if match and (variable := self._variable(match)):
            self._out.append(f"${{{variable}}}")
            self._at = match.end()
        elif self._text.startswith("$((", self._at):
            self._begin("arithmetic", 3)
        elif rest == "$(":
            self._begin("sub", 2)
        elif rest == "$'" and self._open[-1:] != ["double"]:
            self._ansi_quoted()
        else:
            self._copy(len(rest) if rest == "${" else 1)

    def _begin(self, what: str, count: int) -> None:
        self._open.append(what)
        self._copy(count)

    def _toggle(self, what: str) -> None:
        if self._open and self._open[-1] == what:
            self._open.pop()
        else:
            self._open.append(what)
        self._copy(1)

    def _parenthesis(self, rest: str, inside: str) -> None:
        if rest == "((" and inside != "arithmetic":
            self._begin("arithmetic", 2)
        elif rest[0] == "(":
            self._begin("paren", 1)
        elif inside in _CLOSING and rest.startswith(_CLOSING[inside]):
            self._open.pop()
            self._copy(len(_CLOSING[inside]))
        else:
            self._copy(1)

    def _single(self) -> None:
        self._at += 1
        body = self._text[self._at : self._at + self._until("'")]
        self._out.append("'" + self._replaced(body, lambda variable: f"'\"${{{variable}}}\"'"))
        self._at += len(body)
        self._copy(1)

    def _ansi_quoted(self) -> None:
        match = re.compile(r"\$'(?:\\.|[^'\\])*'?", re.DOTALL).match(self._text, self._at)
        body = match[0] if match else "$'"
        if self._holds_variable(body):
            self._variables.report.gap(
                self._variables.field, "a parameter stands between $' and ', where nothing is expanded"
            )
        self._copy(len(body))

    def _here_begins(self) -> None:
        match = _HERE.match(self._text, self._at)
        if match is None:
            self._copy(3 if self._text.startswith("<<<", self._at) else 2)
            return
        self._here.append((match, len(self._out)))
        self._copy(len(match[0]))

    def _here_documents(self) -> None:
        self._copy(1)
        waiting, self._here = self._here, []
        for match, place in waiting:
            body = self._here_body(match)
            is_quoted = match["word"][0] in "'\"\\"
            converted = self._replaced(body, lambda variable: f"${{{variable}}}", literal=is_quoted)
            if not is_quoted:
                self._out.append(converted)
            elif not self._holds_variable(body):
                self._out.append(body)
            else:
                word = match["word"].strip("'\"").lstrip("\\")
                self._out[place] = f"<<{match['dash']}{word}"
                self._out.append(converted)

    def _here_body(self, match: re.Match[str]) -> str:
        word = match["word"].strip("'\"").lstrip("\\")
        begin = self._at
        while self._at < len(self._text):
            line = self._text[self._at : self._at + self._until("\n")]
            if (line.lstrip("\t") if match["dash"] else line) == word:
                break
            self._at = min(self._at + len(line) + 1, len(self._text))
        return self._text[begin : self._at]

    def _replaced(self, body: str, write: Callable[[str], str], *, literal: bool = False) -> str:
        """Return `body` with variables written by `write`; if it is literal, all else is kept from expansion."""
        parts, end = [], 0
        for match in _PASTED.finditer(body):
            variable = self._variable(match)
            if variable is not None:
                parts += [_kept(body[end : match.start()], literal=literal), write(variable)]
                end = match.end()
        return "".join([*parts, _kept(body[end:], literal=literal)])

    def _holds_variable(self, body: str) -> bool:
        return any(self._variable(match) for match in _PASTED.finditer(body))

    def _variable(self, match: re.Match[str]) -> str | None:
        if match[1] is not None:
            return self._variables.parameter(match[1])
        return self._variables.time(match[2])


def _kept(text: str, *, literal: bool) -> str:
    return re.sub(r"([\\$`])", r"\\\1", text) if literal else text
