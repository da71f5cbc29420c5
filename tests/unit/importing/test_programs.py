"""Programs keep their meaning: what was pasted into them becomes variables.

Each test runs a program twice: as the other system does, with the values pasted into its text, and converted, with
the values as variables. Both must say the same.
"""

import io
import os
import re
import subprocess
from contextlib import redirect_stdout
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.importing.findings import Findings, reporter_for
from orchestrator.importing.python_text import assigned_in_python, convert_python
from orchestrator.importing.shell_text import assigned_in, convert_shell
from orchestrator.importing.sql_text import convert_sql
from orchestrator.importing.switch_expressions import NotTranslatable, convert_condition
from orchestrator.importing.variables import Known, Variables

VALUES = {"x": "a b", "n": "5", "day": "20261101", "my.name": "dotted"}
OURS = {"x": "x", "n": "n", "day": "day", "my.name": "my_name"}
TIME = {"yyyyMMdd": "20261102"}


def make_variables(*, assigned: frozenset[str] = frozenset(), every: bool = False) -> Variables:
    """Return variables that know `VALUES`; `n` is a number."""
    kinds = dict.fromkeys(VALUES, "VARCHAR") | {"n": "INTEGER"}
    known = Known(names=OURS, values=VALUES, kinds=kinds)
    report = reporter_for(Findings(), "file")
    return Variables(known=known, report=report, field="rawScript", assigned=assigned, every=every)


def given_to(variables: Variables) -> dict[str, str]:
    """Return the environment that the converted program gets."""
    visible = {OURS[name]: value for name, value in VALUES.items()}
    return visible | {name: resolved(value, visible) for name, value in variables.params.items()}


def resolved(text: str, visible: dict[str, str]) -> str:
    """Resolve references and the one time that the tests use."""
    text = re.sub(r"\$\[(\w+)\]", lambda match: TIME[match[1]], text)
    return re.sub(r"\$\{(\w+)\}", lambda match: visible[match[1]], text)


def pasted(text: str) -> str:
    """Return the program as the other system runs it."""
    for name, value in {
        **{f"${{{k}}}": v for k, v in VALUES.items()},
        "$[yyyyMMdd]": TIME["yyyyMMdd"],
    }.items():
        text = text.replace(name, value)
    return text


def said_by(script: str, environment: dict[str, str]) -> str:
    """Return what a shell script prints."""
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "script",
    [
        "echo ${x} ${n}",
        "echo \"${x}\" '${x}' \"it is '${x}'\"",
        "echo 'only $HOME and ${n}'",
        "printf '%s|' ${x} \"${x}\"",
        'echo "$(echo \'${x}\' "${n}")" `echo ${n}`',
        'echo "a\\"${x}" \\${n}',
        "echo $((${n} + 1)) $(( ${n} << 2 ))",
        "cat <<EOF\n'${x}' \"${n}\"\nEOF\necho ${day}",
        "cat <<'EOF'\n$5 `id` \\n ${x}\nEOF\necho '${x}'",
        'cat <<-"EOF"\n\t$HOME ${x}\n\tEOF\necho end',
        "cat <<'A' <<B\n$1 ${x}\nA\n${n}\nB",
        "# it's a comment ${x}\necho ${x} # don't ${n}",
        "echo ${undeclared:-none} ${y#a} $#",
        "n=7; echo ${n} $n",
        "for x in 1 2; do echo ${x} $x; done",
        "echo $[yyyyMMdd] '$[yyyyMMdd]' \"day=$[yyyyMMdd]\"",
        "echo ${my.name}",
        "case a in a) echo '${x}';; esac",
        "(cd / && echo '${x}'); { echo ${n}; }",
        "echo '${setValue(k=${n})}'",
    ],
)
def test_shell_script_says_what_it_said(script: str) -> None:
    """Between single quotes, in quoted here-documents, beside equal names: the words are the same."""
    variables = make_variables(assigned=assigned_in(script))
    converted = convert_shell(script, variables)

    assert said_by(converted, given_to(variables)) == said_by(pasted(script), {})
    assert not variables.report.findings.gaps


@pytest.mark.parametrize(
    "script", ["for i in {1..${n}}; do :; done", "echo $'${x}'", "echo ${system.task.execute.path}"]
)
def test_shell_script_that_cannot_keep_its_meaning_is_a_gap(script: str) -> None:
    """Where no quoting helps, the import stops."""
    variables = make_variables()
    convert_shell(script, variables)

    assert len(variables.report.findings.gaps) == 1


@given(st.text("'\"`$(){}<\\#\n xn=EOF-[]yM", max_size=60))
def test_any_shell_text_is_read_to_its_end(script: str) -> None:
    """Whatever stands in a script, nothing but variables and their quotes changes."""
    converted = convert_shell(script, make_variables())

    if "${x}" not in script and "${n}" not in script and "$[" not in script:
        assert converted == script


@pytest.mark.parametrize(
    "script",
    [
        "print('${x}', \"${x} ${n}\")",
        "print(${n} + 1)",
        "print(r'\\d ${x}', '''${x}\n${day}''')",
        "print(f'{1 + 1} ${x}')",
        "print('a' 'b ${x}')",
        "x = 3\nprint(x, '${x}')",
        "# ${x}\nprint('$[yyyyMMdd]')",
        "def show(n):\n    print(n, '${n}')\nshow(1)",
        "print([1, '${x}'.upper()])",
        "print(${day} + 1)",
        "print('$[0].name ${my.name}')",
        "import json as n\nprint(n.dumps('${n}'))",
    ],
)
def test_python_script_says_what_it_said(script: str) -> None:
    """In texts of every kind and in the code itself the values are the same."""
    variables = make_variables(assigned=assigned_in_python(script), every=True)
    converted = convert_python(script, variables)
    names: dict[str, Any] = {
        name: value for name, value in given_to(variables).items() if name in variables.params
    }
    names |= {name: 5 for name, value in variables.params.items() if value == "${n}"}

    assert printed_by(converted, names) == printed_by(pasted(script), {})
    assert not variables.report.findings.gaps


def printed_by(script: str, names: dict[str, Any]) -> str:
    """Return what a Python script prints, with these global names."""
    with redirect_stdout(io.StringIO()) as out:
        exec(compile(script, "script", "exec"), dict(names))  # noqa: S102 - that is what the task does
    return out.getvalue()


@pytest.mark.parametrize("script", ["table_${n} = 1", "print(b'${x}')", "print('${x}' 'b')", "print '${x}'"])
def test_python_script_that_cannot_keep_its_meaning_is_a_gap(script: str) -> None:
    """A part of a name, bytes, and what is no Python stop the import."""
    variables = make_variables(every=True)
    convert_python(script, variables)

    assert len(variables.report.findings.gaps) == 1


@given(st.text("'\"fbr$(){}[]\\#\n xn=:1", max_size=60))
def test_any_python_text_is_converted_or_a_gap(script: str) -> None:
    """No text makes the conversion fail, and one without parameters stays as it is."""
    variables = make_variables(every=True)
    converted = convert_python(script, variables)

    assert variables.params or converted == script


@pytest.mark.parametrize(
    ("sql", "ours", "params"),
    [
        ("select ${x}, '${x}', \"${n}\"", "select ${x}, ${x}, ${n}", {}),
        ("where d = '$[yyyyMMdd]'", "where d = ${time_yyyyMMdd}", {"time_yyyyMMdd": "$[yyyyMMdd]"}),
        ("like '%it''s ${x}%' -- ${y}", "like ${text} -- ${y}", {"text": "%it's ${x}%"}),
        ("'plain' /* ${x} */ `c`", "'plain' /* ${x} */ `c`", {}),
    ],
)
def test_sql_gets_bound_parameters(sql: str, ours: str, params: dict[str, str]) -> None:
    """A literal around a parameter becomes a parameter as a whole; comments stay."""
    variables = make_variables()

    assert convert_sql(sql, variables) == ours
    assert variables.params == params
    assert not variables.report.findings.gaps


@pytest.mark.parametrize("sql", ["select * from !{x}", "select `${x}` from t", 'select "a ${x}"'])
def test_sql_that_needs_pasted_text_is_a_gap(sql: str) -> None:
    """A table's or column's name cannot be bound."""
    variables = make_variables()
    convert_sql(sql, variables)

    assert len(variables.report.findings.gaps) == 1


@pytest.mark.parametrize(
    ("javascript", "cel"),
    [
        ("${n} > 1", "${n} > 1"),
        ("${x} == 'a'", "${x} == 'a'"),
        ("'${x}' === \"a\" && !(${n}!=2)", '${x} == "a" && ! ( ${n} != 2 )'),
        ("${x} >= 3.5", "double(${x}) >= 3.5"),
        ("${n} == '5'", "string(${n}) == '5'"),
        ("${rows} > 0 || ${other} == true", "double(${rows}) > 0 || ${other} == true"),
        ("${n} % 2 == 0;", "${n} % 2 == 0"),
    ],
)
def test_condition_of_a_switch_becomes_cel(javascript: str, cel: str) -> None:
    """Quotes around a parameter fall away, and what JavaScript compares across types gets one type."""
    assert convert_condition(javascript, make_variables().known) == cel


@pytest.mark.parametrize(
    "javascript",
    ["${x}.length > 1", "${n} > 1 ? true : false", "1 == 1", "", "${x} = 1", "['a'].includes(${x})"],
)
def test_condition_that_is_more_than_logic_is_refused(javascript: str) -> None:
    """Calls, members, assignments and conditions without a parameter have no equivalent."""
    with pytest.raises(NotTranslatable):
        convert_condition(javascript, make_variables().known)
