"""Schedules as they are written: what reaches the definition, and what can never work."""

import pytest

from orchestrator.authoring.decorators import noop, workflow
from orchestrator.authoring.load import load_text
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.errors import DefinitionError


def scheduled(schedules: str, more: str = "") -> WorkflowDefinition:
    """Return the definition of a workflow with these schedules."""
    return load_text(
        f"workflow: {{name: w, schedules: [{schedules}]{more}}}\ntasks:\n  - {{name: a, type: noop}}\n"
    )[0]


def test_schedules_reach_the_definition() -> None:
    """As they are written, durations in seconds."""
    definition = scheduled("{cron: '* * * * *', grace: 1m}, {cron: '0 2 * * *', misfire: skip}")

    assert definition.schedules == (
        {"cron": "* * * * *", "grace": 60.0},
        {"cron": "0 2 * * *", "misfire": "skip"},
    )


def test_schedule_of_a_python_workflow_is_one_with_that_cron() -> None:
    """`@workflow(schedule="…")` is short for one schedule."""

    @workflow(schedule="0 2 * * *", timezone="Europe/Paris")
    def nightly() -> None:
        noop("a")

    assert nightly.definition().schedules == ({"cron": "0 2 * * *"},)


@pytest.mark.parametrize(
    ("schedules", "message"),
    [
        ("{cron: '0 0 30 2 *'}", r"schedules\[0\].cron': .*(never fires|no cron)"),
        ("{cron: '0 0 31 4,6 *'}", r"schedules\[0\].cron': .*(never fires|no cron)"),
        (
            "{cron: '0 0 5 * *', start: 2026-01-06, end: 2026-01-31}",
            "never fires between its start and its end",
        ),
        ("{cron: '* * * * *', start: 2026-01-06, end: 2026-01-05}", "its end lies before its start"),
        (
            "{cron: '0 2 * * *'}, {cron: '0  2 * * *', misfire: all}",
            r"schedules\[1\].*would be started twice",
        ),
        ("{cron: '* * * * *', start: 0001-01-01}", ""),
    ],
)
def test_schedule_that_can_never_work_is_refused(schedules: str, message: str) -> None:
    """With its place and the reason, when it is written and not when it fails to fire."""
    if not message:
        assert scheduled(schedules).schedules
        return
    with pytest.raises(DefinitionError, match=message):
        scheduled(schedules)


def test_schedule_of_a_workflow_with_a_required_parameter_is_refused() -> None:
    """Nobody would be there to give it."""
    with pytest.raises(DefinitionError, match="'day' is required, and a schedule gives no parameters"):
        scheduled("{cron: '0 2 * * *'}", ", params: {day: {required: true}}")


def test_faults_of_all_schedules_are_told_at_once() -> None:
    """What is wrong in one hides neither the rest of it nor the others, nor what the workflow says elsewhere."""
    text = """
workflow:
  name: w
  environment: e
  params: {day: {required: true}}
  schedules:
    - {cron: "99 25 * * *", end: 2026-13-01}
    - {cron: "0 2 * * *", start: 2026-02-01, end: 2026-01-01}
    - {cron: "0 3 * * *"}
    - {cron: "0 3 * * *"}
    - {cron: "61 * * * *", start: 2026-02-01, end: 2026-01-01}
    - {cron: "0 4 5 * *", misfire: alll, start: 2026-01-06, end: 2026-01-31}
    - 7
tasks:
  - {name: a, type: noop, params: {x: "${given}"}}
"""
    with pytest.raises(DefinitionError) as refusal:
        load_text(text, "w.yaml")

    told = [str(fault) for fault in refusal.value.faults]
    expected = [
        "w.yaml:5: field 'params.day': 'day' is required",
        "w.yaml:7: field 'schedules[0].cron': '99 25 * * *' is no cron expression: bad minute '99', bad hour '25'",
        "w.yaml:7: field 'schedules[0].end': not a time",
        "w.yaml:8: field 'schedules[1]': its end lies before its start",
        "w.yaml:10: field 'schedules[3]': schedules[2] has the same cron",
        "w.yaml:11: field 'schedules[4].cron': '61 * * * *' is no cron",
        "w.yaml:11: field 'schedules[4]': its end lies before its start",
        "w.yaml:12: field 'schedules[5].misfire': must be one of",
        "w.yaml:12: field 'schedules[5]': '0 4 5 * *' never fires between",
        "w.yaml:13: field 'schedules[6]': must be a map",
    ]
    assert len(told) == len(expected)
    assert all(one.startswith(start) for one, start in zip(told, expected, strict=True))


def test_day_of_an_end_is_included() -> None:
    """The last run may be late on that day; in another zone it is another schedule."""
    assert scheduled("{cron: '0 23 5 * *', start: 2026-01-05, end: 2026-01-05}").schedules
    assert scheduled("{cron: '0 2 * * *'}, {cron: '0 2 * * *', timezone: Asia/Tokyo}").schedules
