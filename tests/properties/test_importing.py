"""Whatever a file holds, an import gives workflows that load, or says what is wrong; it never breaks."""

import json
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.authoring.load import load_text
from orchestrator.importing.dolphinscheduler import Imported, import_files

WORDS = st.sampled_from(
    ["a", "b c", "", "1", "-1", "${a}", "'${a}'", "$[yyyyMMdd-1]", "${a} > 1", "YES", "NO", "OPEN", "AND",
     "SUCCESS", "0 0 2 * * ?", "echo '${a}'\n", "2026-01-01", "HIGH", "true", "\x01", "é ü", "1e3", "no", "[1]",
     "{}", "<<EOF\n", "UTC", "END", '$FILE{"x"}', "$ENV{HOME}", "IN", "OUT", "INTEGER", "3", "today", "parallel"]
)  # fmt: skip
SCALARS = st.one_of(
    WORDS, st.none(), st.booleans(), st.integers(-5, 5), st.floats(-1e9, 1e9), st.text(max_size=8)
)
KINDS = st.sampled_from(
    [
        "SHELL",
        "PYTHON",
        "SQL",
        "HTTP",
        "PROCEDURE",
        "SWITCH",
        "CONDITIONS",
        "DEPENDENT",
        "SUB_PROCESS",
        "BLOCKING",
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


def fields_of(names: str, value: st.SearchStrategy[Any] = VALUES) -> st.SearchStrategy[dict[str, Any]]:
    """Return maps with some of these fields."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names.split(), value))


def exactly(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return maps with all of these fields."""
    return st.fixed_dictionaries(fields)


def few(one: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Return short lists."""
    return st.lists(one, max_size=3)


CODES = st.integers(0, 4)
PARAMETERS = few(fields_of("prop direct type value", SCALARS))
ITEMS = few(fields_of("depTaskCode status definitionCode dateValue", SCALARS))
GROUPS = exactly(relation=SCALARS, dependTaskList=few(exactly(dependItemList=ITEMS)))
PARAMS = st.fixed_dictionaries(
    {"rawScript": WORDS},
    optional={
        "localParams": PARAMETERS,
        "dependence": GROUPS | VALUES,
        "switchResult": fields_of("dependTaskList nextNode"),
        "conditionResult": fields_of("successNode failedNode"),
        "httpParams": few(fields_of("prop httpParametersType value")),
        "x": VALUES,
        **dict.fromkeys(("sql", "url", "method"), WORDS),
        **dict.fromkeys(("datasource", "httpCheckCondition", "condition", "processDefinitionCode"), SCALARS),
    },
)
TASKS = st.fixed_dictionaries(
    {"name": WORDS, "code": CODES, "taskType": KINDS, "taskParams": PARAMS | VALUES},
    optional=dict.fromkeys(
        ("flag", "timeout", "timeoutFlag", "taskPriority", "failRetryTimes", "workerGroup"), SCALARS
    ),
)
WORKFLOWS = st.fixed_dictionaries(
    {"name": WORDS, "code": CODES}, optional={"globalParamList": PARAMETERS, "timeout": SCALARS}
)
EXPORTS = st.fixed_dictionaries(
    {
        "processDefinition": WORKFLOWS,
        "processTaskRelationList": few(exactly(preTaskCode=CODES, postTaskCode=CODES)),
        "taskDefinitionList": few(TASKS),
    },
    optional={"schedule": fields_of("crontab timezoneId startTime failureStrategy", SCALARS)},
)
SDK_WORKFLOWS = fields_of("name schedule param timezone timeout start_time execution_type")
SDK_TASKS = fields_of(
    "name task_type deps command definition condition op groups success_task failed_task workflow_name sql "
    "datasource_name url http_params local_params input_params output_params timeout fail_retry_times flag"
)
SDK_KINDS = st.sampled_from(
    ["Shell", "Python", "Sql", "Http", "Switch", "Condition", "Dependent", "SubWorkflow"]
)


def import_text(name: str, text: str) -> Imported:
    """Import one file with this text."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_text(text, encoding="utf-8", errors="replace")
        return import_files([file], environment={"HOME": "/home"})


def check(found: Imported) -> None:
    """Check that it either loads or says why, each with a place."""
    assert bool(found.workflows) != bool(found.gaps)
    assert all(gap.message and gap.file for gap in (*found.gaps, *found.notes))
    for one in found.workflows:
        assert load_text(one.text)[0].name == one.name


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(EXPORTS, min_size=1, max_size=2))
def test_any_export_loads_or_says_why(exports: list[dict[str, Any]]) -> None:
    """Fields of every shape: wrong types, missing and unknown names, scripts that end in the middle."""
    check(import_text("export.json", json.dumps(exports)))


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    fields_of("name schedule param timezone timeout start_time execution_type"),
    st.lists(st.tuples(SDK_TASKS, SDK_KINDS, WORDS), max_size=4),
)
def test_any_file_of_the_sdk_loads_or_says_why(
    workflow: dict[str, Any], tasks: list[tuple[dict[str, Any], str, str]]
) -> None:
    """The same for the other format."""
    written = [{"command": "x", **fields, "task_type": kind, "name": name} for fields, kind, name in tasks]
    check(import_text("flow.yaml", yaml.safe_dump({"workflow": {"name": "w", **workflow}, "tasks": written})))


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(["flow.yaml", "export.json"]), st.text(max_size=60) | VALUES.map(json.dumps))
def test_any_text_says_what_is_wrong_with_it(name: str, text: str) -> None:
    """A file that is something else altogether."""
    check(import_text(name, text))
