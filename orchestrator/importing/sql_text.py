"""Owns SQL on its way in: pasted text becomes bound parameters, whole literals where it stood inside one."""

import re

from orchestrator.importing.values import REFERENCE, TIME
from orchestrator.importing.variables import Variables

_TOKEN = re.compile(
    rf"(?P<comment>--[^\n]*|/\*.*?\*/)|(?P<literal>'(?:[^']|'')*')|(?P<quoted>\"[^\"]*\"|`[^`]*`)"
    rf"|(?P<raw>!\{{[^}}]*\}})|{REFERENCE.pattern}|{TIME.pattern}",
    re.DOTALL,
)


def convert_sql(sql: str, variables: Variables) -> str:
    """Return SQL in which every parameter is a bound one.

    What cannot be bound, a table's name for instance, is a gap in the variables' report.
    """
    return _TOKEN.sub(lambda match: _converted(match, variables), sql)


def _converted(match: re.Match[str], variables: Variables) -> str:
    text = match[0]
    match match.lastgroup:
        case "comment":
            return text
        case "raw":
            message = f"{text} pastes text into SQL, which has no equivalent; write ${{…}}, a bound parameter"
            variables.report.gap(variables.field, message)
            return text
        case "literal":
            return _literal(text, variables)
        case "quoted":
            return _quoted(text, variables)
    variable = variables.parameter(match[5]) if match[5] is not None else variables.time(match[6])
    if variable is not None and match[6] is not None:
        variables.report.note(variables.field, f"{text} is bound as text; cast it if a number is wanted")
    return f"${{{variable}}}" if variable else text


def _literal(text: str, variables: Variables) -> str:
    inner = text[1:-1].replace("''", "'")
    alone = REFERENCE.fullmatch(inner) or TIME.fullmatch(inner)
    if alone:
        is_time = alone.re is TIME
        variable = variables.time(alone[1]) if is_time else variables.parameter(alone[1])
        return f"${{{variable}}}" if variable else text
    names = [name for name in REFERENCE.findall(inner) if variables.parameter(name)]
    if not names and not any(variables.time(body) for body in TIME.findall(inner)):
        return text
    return f"${{{variables.text(inner)}}}"


def _quoted(text: str, variables: Variables) -> str:
    """Double quotes may hold a text, back quotes only a name."""
    inner = text[1:-1]
    variable = None
    if text[0] == '"' and (alone := REFERENCE.fullmatch(inner)):
        variable = variables.parameter(alone[1])
    elif text[0] == '"' and (alone := TIME.fullmatch(inner)):
        variable = variables.time(alone[1])
    elif any(map(variables.parameter, REFERENCE.findall(inner))) or any(
        map(variables.time, TIME.findall(inner))
    ):
        variables.report.gap(variables.field, f"{text[:60]} holds a parameter inside a quoted name")
    return f"${{{variable}}}" if variable else text
