"""Owns the task types that workers run, on their way in: shell, Python, SQL, procedures, HTTP."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.importing import naming
from orchestrator.importing.context import Context, Converted
from orchestrator.importing.fields import Fields
from orchestrator.importing.python_text import assigned_in_python, convert_python
from orchestrator.importing.shell_text import assigned_in, convert_shell
from orchestrator.importing.source import Property
from orchestrator.importing.sql_text import convert_sql
from orchestrator.importing.values import REFERENCE, TIME, as_shown, declared_type, translate, translate_value
from orchestrator.importing.variables import Variables

_OF_THE_MACHINE = frozenset(
    {"HOME", "USER", "PATH", "PWD", "HOSTNAME", "SHELL", "LANG", "LOGNAME", "TMPDIR", "RANDOM", "UID", "EUID",
     "SECONDS", "LINENO", "BASH_SOURCE", "OLDPWD", "PPID", "IFS", "OSTYPE"}
)  # fmt: skip
_SHELL_SYNTAX = re.compile(r"[;&|<>`\"'\\(){}*?]|\$\(")
_SET_VALUE = re.compile(r"[$#]\{setValue\(\s*([\w.-]+)\s*=")
_SHELL_FORM = re.compile(r"-|^\d")  # `${x-default}` and `${1}` are the shell's own
_GO_ON = "set +e  # as in DolphinScheduler: the last command decides"
_OWN_FORM = re.compile(
    r"\$(?:\{#|\{(?=\w+[^\w.}-]))?([A-Za-z_]\w*)"
)  # `$x`, `${#x}`, `${x:-1}`, never `${x}`
_MILLISECONDS = 1000
_DEFAULT_WAIT_MS = 60_000
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def shell(context: Context) -> Converted:
    """Return a shell task: its script, with variables in place of what was pasted into it."""
    script = _program(context, "rawScript")
    variables = context.variables("rawScript", assigned=assigned_in(script))
    text = convert_shell(script, variables)
    _note_unknown(variables, "is left to the shell's own environment", _OF_THE_MACHINE | variables.assigned)
    _note_shell_values(context, script)
    _note_own_expansions(context, script, variables.assigned)
    return Converted(
        values={"type": "shell", "run": _unhurried(text)},
        params=variables.params,
        outputs=_set_values(context, script),
    )


def python(context: Context) -> Converted:
    """Return a Python task: its script, with global names in place of what was pasted into it."""
    script = _program(context, "rawScript")
    variables = context.variables("rawScript", assigned=assigned_in_python(script), every=True)
    text = convert_python(script, variables)
    _note_unknown(variables, "stays text")
    return Converted(
        values={"type": "python", "script": text},
        params=variables.params,
        outputs=_set_values(context, script),
    )


def sql(context: Context) -> Converted:
    """Return a SQL task: the statements before, its own, and those after, with bound parameters."""
    fields = context.task.fields
    own = _program(context, "sql")
    statements = [*_statements(fields, "preStatements"), own, *_statements(fields, "postStatements")]
    if fields.text("segmentSeparator") not in ("", ";"):
        context.report.gap("segmentSeparator", "statements are separated by ';' only")
    if fields.text("sqlSource").upper() == "FILE" or (fields.text("sqlResource") and not own):
        context.report.gap("sqlResource", "the SQL stands in the resource centre; put its text into the task")
    variables = context.variables("sql")
    text = ";\n".join(convert_sql(one.strip().removesuffix(";"), variables) for one in statements)
    _note_unknown(variables, "has no value unless somebody gives it at the start")
    fetch = "none" if fields.text("sqlType") == "1" else "first"
    fields.skip("displayRows", "limit", "sqlType")
    return Converted(
        values={"type": "sql", "connection": _connection(context), "sql": text, "fetch": fetch},
        params=variables.params,
        outputs=_columns(context),
    )


def procedure(context: Context) -> Converted:
    """Return a SQL task that calls a stored procedure; one with OUT parameters is a gap."""
    method = _program(context, "method").strip().removeprefix("{").removesuffix("}")
    if any(one.direction == "OUT" for one in context.task.params):
        context.report.gap("localParams", "OUT parameters of a procedure have no equivalent; select them")
    variables = context.variables("method")
    values = {"type": "sql", "connection": _connection(context), "sql": convert_sql(method, variables)}
    return Converted(values={**values, "fetch": "none"}, params=variables.params)


def http(context: Context) -> Converted:
    """Return an HTTP task: address, query, headers, body, and what counts as success."""
    fields, report = context.task.fields, context.report
    ours = context.known.our_name
    method = fields.word("httpMethod") or "GET"
    if method not in _METHODS:
        report.gap("httpMethod", f"'{method}' is no method; allowed: {', '.join(sorted(_METHODS))}")
    url = translate(fields.text("url"), ours)
    if not url:
        report.gap("url", "is missing")
    values: dict[str, Any] = {"type": "http", "url": url, "method": method, **_http_params(context)}
    body = fields.text("httpBody")
    if body and "json" in values:
        report.gap("httpBody", "a body and parameters of the body exclude each other here")
    elif body:
        values["body"] = translate(body, ours)
        values.setdefault("headers", {}).setdefault("Content-Type", "application/json")
    values |= _expected(context)
    wait_ms = fields.number("connectTimeout") + fields.number("socketTimeout")
    if wait_ms and not context.task.timeout_min:
        values["timeout"] = f"{-(-wait_ms // _MILLISECONDS)}s"
    elif wait_ms not in (0, 2 * _DEFAULT_WAIT_MS):
        report.note("socketTimeout", "the request has one time limit, the task's own")
    return Converted(values=values)


WORKER_TYPES: Mapping[str, Callable[[Context], Converted]] = {
    "SHELL": shell,
    "PYTHON": python,
    "SQL": sql,
    "PROCEDURE": procedure,
    "HTTP": http,
}


def _program(context: Context, field_name: str) -> str:
    text = context.task.fields.text(field_name)
    if not text.strip():
        context.report.gap(field_name, "is missing or empty")
    return text


def _unhurried(script: str) -> str:
    """Return a script that goes on after a failed command, as it did: shells run with `-e` here."""
    return f"{_GO_ON}\n{script}" if re.search(r"[\n;]", script.strip()) else script


def _note_unknown(variables: Variables, what: str, silent: frozenset[str] = frozenset()) -> None:
    names = [name for name in variables.unknown - silent if not _SHELL_FORM.search(name)]
    for name in sorted(names):
        variables.report.note(
            variables.field,
            f"${{{name}}} names no parameter of this workflow and {what}; declare it if it is one",
        )


def _note_shell_values(context: Context, script: str) -> None:
    """Say where a known value would have been read as program text and is a plain value now."""
    for name in dict.fromkeys(REFERENCE.findall(script)):
        plain = TIME.sub("", REFERENCE.sub("", as_shown(context.known.values.get(name, ""))))
        if _SHELL_SYNTAX.search(plain):
            context.report.note(
                "rawScript",
                f"the value of '{name}' holds characters that a shell reads as program; pasted, they were, "
                "and as a variable they are plain text",
            )


def _note_own_expansions(context: Context, script: str, assigned: frozenset[str]) -> None:
    """Say where the shell's own forms name a parameter: there they did not see it."""
    for name in dict.fromkeys(_OWN_FORM.findall(script)):
        if context.known.names.get(name) == name and name not in assigned:
            context.report.note(
                "rawScript", f"${name} without braces was the shell's own and empty; here it is the parameter"
            )


def _outputs(context: Context) -> list[tuple[Property, str]]:
    found = []
    for one in context.task.params:
        if one.direction == "OUT":
            type_name = declared_type(one)
            if type_name is None:
                context.report.gap("localParams", f"'{one.name}': the type {one.kind} has no equivalent")
                continue
            if one.value not in ("", None):
                context.report.note("localParams", f"'{one.name}': an output has no default value here")
            found.append((one, type_name))
    return found


def _set_values(context: Context, script: str) -> dict[str, str]:
    """Return the outputs that a script sets; one that it never sets is no fault there and would be one here."""
    found, known = {}, set(_SET_VALUE.findall(script))
    for one, type_name in _outputs(context):
        ours = context.known.our_name(one.name)
        if one.name in known and ours == one.name:
            found[ours] = type_name
        elif one.name in known:
            context.report.gap("localParams", f"'{one.name}' cannot name an output; rename it to '{ours}'")
        else:
            message = f"no setValue({one.name}=…) was found in the script: the output is not declared"
            context.report.note("localParams", message)
    return found


def _columns(context: Context) -> dict[str, str]:
    found = {}
    for one, type_name in _outputs(context):
        if one.kind == "LIST":
            context.report.gap(
                "localParams", f"'{one.name}': the list of a column's values has no equivalent"
            )
        found[context.known.our_name(one.name)] = type_name
    return found


def _statements(fields: Fields, name: str) -> list[str]:
    value = fields.any(name)
    found = [value] if isinstance(value, str) and value.lstrip()[:1] != "[" else fields.items(name)
    texts = [one for one in found if isinstance(one, str)]
    if len(texts) < len(found):
        fields.report.gap(name, "must be a list of texts")
    return [one for one in texts if one.strip()]


def _connection(context: Context) -> str:
    """Return the connection's name: the SDK knows that of the data source, the UI's export its number."""
    fields = context.task.fields
    source = fields.text("datasource")
    kind = fields.text("type")
    fields.skip("datasourceType")
    if source in ("", "0"):
        context.report.gap("datasource", "is missing")
        return "missing"
    name = f"datasource_{source}" if source.isdecimal() else naming.workflow_name(source)
    message = f"{kind} data source {source}: set ORCHESTRATOR_CONNECTION_<NAME> for the connection '{name}'"
    context.report.note("datasource", message.strip())
    return name


def _http_params(context: Context) -> dict[str, Any]:
    where = {"PARAMETER": "query", "HEADERS": "headers", "HEADER": "headers", "BODY": "json"}
    found: dict[str, Any] = {}
    for one in context.task.fields.maps("httpParams"):
        place = where.get(one.word("httpParametersType") or "PARAMETER")
        name = translate(one.text("prop"), context.known.our_name)
        if place is None or not name:
            context.report.gap(
                one.path("httpParametersType"), "must be PARAMETER, HEADERS or BODY, with a prop"
            )
            continue
        value = one.text("value") if place == "headers" else one.any("value")
        found.setdefault(place, {})[name] = translate_value(
            "" if value is None else value, context.known.our_name
        )
        one.skip("direct", "type")
        one.note_rest()
    return found


def _expected(context: Context) -> dict[str, Any]:
    fields, report = context.task.fields, context.report
    kind = fields.word("httpCheckCondition") or "STATUS_CODE_DEFAULT"
    condition = fields.text("condition")
    match kind:
        case "STATUS_CODE_DEFAULT":
            return {}
        case "STATUS_CODE_CUSTOM":
            codes = [one.strip() for one in condition.split(",")]
            if all(re.fullmatch(r"[1-5][0-9]{2}", one) for one in codes):
                return {"expect_status": [int(one) for one in codes]}
            report.gap("condition", f"'{condition[:40]}' is no list of status codes")
        case "BODY_CONTAINS":
            report.note("httpCheckCondition", "the status must be 200, too")
            return {"expect_body": translate(condition, context.known.our_name)} if condition else {}
        case "BODY_NOT_CONTAINS" if "${" not in condition:
            report.note("httpCheckCondition", "the status must be 200, too")
            return {"check": f"!body.contains({_cel_text(condition)})"}
        case _:
            report.gap("httpCheckCondition", f"{kind} has no equivalent with this condition")
    return {}


def _cel_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
