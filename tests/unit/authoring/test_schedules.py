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


def test_day_of_an_end_is_included() -> None:
    """The last run may be late on that day; in another zone it is another schedule."""
    assert scheduled("{cron: '0 23 5 * *', start: 2026-01-05, end: 2026-01-05}").schedules
    assert scheduled("{cron: '0 2 * * *'}, {cron: '0 2 * * *', timezone: Asia/Tokyo}").schedules
