"""What people see of a run: lines elsewhere, a table on a terminal."""

import io
from collections.abc import Mapping
from typing import Any

import pytest
from rich.console import Console

from orchestrator.cli.live import LineView, LiveView, SilentView, make_view, print_summary, spell


def a_task(name: str, state: str, **fields: Any) -> dict[str, Any]:
    """Return an element of `tasks` in the document of `runs show`."""
    plain = {"attempt": 1, "current": True, "reason": None, "started_at": None, "ended_at": None}
    return {"name": name, "state": state, **plain, **fields}


def a_document(*tasks: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """Return the document of `runs show`."""
    plain = {
        "id": 7,
        "workflow": "nightly",
        "state": "RUNNING",
        "reason": None,
        "outputs": {},
        "dry_run": False,
    }
    times = {"started_at": "2026-01-01T00:00:00Z", "ended_at": "2026-01-01T00:00:05Z"}
    return {**plain, **times, **fields, "tasks": list(tasks)}


def _nothing(_task: Mapping[str, Any]) -> str:
    return ""


def test_line_view_says_each_change_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A task is named when its state changes, not each time somebody looks."""
    view = LineView(_nothing)

    for state in ("SUBMITTED", "RUNNING", "RUNNING", "SUCCESS"):
        view.show(a_document(a_task("load", state)))

    captured = capsys.readouterr()
    assert [line.split()[0] for line in captured.err.splitlines()] == ["SUBMITTED", "RUNNING", "SUCCESS"]
    assert captured.out == ""


def test_line_view_quotes_the_last_line_of_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """Who reads a failure need not open the log to see what the task said."""
    LineView(lambda _: "disk full").show(
        a_document(a_task("load", "FAILURE", reason="exit code 1", attempt=2))
    )

    error = capsys.readouterr().err
    assert "load (attempt 2)" in error
    assert "exit code 1" in error
    assert "disk full" in error


def test_line_view_does_not_quote_what_the_reason_says(capsys: pytest.CaptureFixture[str]) -> None:
    """The last line of a traceback is the exception, which is the reason already."""
    LineView(lambda _: "ValueError: no rows").show(
        a_document(a_task("load", "FAILURE", reason="ValueError: no rows"))
    )

    assert capsys.readouterr().err.count("no rows") == 1


def test_live_view_shows_state_and_last_line() -> None:
    """The table has the state and the last line of each current attempt; a replaced attempt is left out."""
    console = Console(file=io.StringIO(), force_terminal=True, width=100, height=30)

    with LiveView(lambda _: "row 17", console) as view:
        view.show(a_document(a_task("load", "FAILURE", current=False), a_task("load", "RUNNING", attempt=2)))

    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "load #2" in text
    assert "row 17" in text
    assert "FAILURE" not in text


def test_live_view_keeps_to_the_terminal() -> None:
    """With more tasks than lines, those that run are shown and the rest is counted."""
    console = Console(file=io.StringIO(), force_terminal=True, width=100, height=8)
    tasks = [a_task(f"t{number}", "SUCCESS") for number in range(50)]

    with LiveView(_nothing, console) as view:
        view.show(a_document(*tasks, a_task("busy", "RUNNING")))

    assert isinstance(console.file, io.StringIO)
    assert "busy" in console.file.getvalue()
    assert "47 more tasks" in console.file.getvalue()


def test_live_view_tells_reasons_that_its_table_had_to_cut() -> None:
    """What to do about a failure stands at the end of its reason: it must be readable in a narrow terminal."""
    console = Console(file=io.StringIO(), force_terminal=True, width=60, height=30, color_system=None)
    reason = "shop.tasks.charge: " + "no worker has this task; " * 4 + "start one"

    with LiveView(_nothing, console) as view:
        view.show(a_document(a_task("charge", "FAILURE", reason=reason), a_task("b", "FAILURE", reason="no")))

    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert text.endswith(f"charge: {reason}\n")
    assert text.rpartition("charge: ")[0].count("no worker has") == 0, "the last table says it once more"


def test_live_view_says_a_reason_once_that_its_table_has_room_for() -> None:
    """More than half of the terminal is room enough, if names are short."""
    console = Console(file=io.StringIO(), force_terminal=True, width=80, height=30, color_system=None)

    with LiveView(_nothing, console) as view:
        view.show(a_document(a_task("charge", "FAILURE", reason="x" * 50)))

    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().count("x" * 50) == 1


def test_live_view_cuts_what_tasks_say_and_not_their_names() -> None:
    """A long last line leaves name and state of every task readable."""
    console = Console(file=io.StringIO(), force_terminal=True, width=60, height=30, color_system=None)

    with LiveView(lambda _: "copied " * 40, console) as view:
        view.show(a_document(a_task("charge", "RUNNING"), a_task("ship", "SUCCESS")))

    assert isinstance(console.file, io.StringIO)
    assert "charge  RUNNING" in console.file.getvalue()
    assert "ship    SUCCESS" in console.file.getvalue()


def test_json_asks_for_silence() -> None:
    """With `--json` nothing but the document is printed."""
    assert isinstance(make_view(_nothing, silent=True), SilentView)


def test_summary_prints_outputs_apart_from_the_story(capsys: pytest.CaptureFixture[str]) -> None:
    """Outputs stand on standard output, for pipes; how it ended stands on standard error."""
    print_summary(
        a_document(a_task("a", "SUCCESS"), a_task("b", "SKIPPED"), state="SUCCESS", outputs={"n": 3})
    )

    captured = capsys.readouterr()
    assert captured.out == "n = 3\n"
    assert "nightly run 7: SUCCESS in 5.0s: 1 SKIPPED, 1 SUCCESS" in captured.err


def test_summary_of_a_dry_run_says_that_it_was_one(capsys: pytest.CaptureFixture[str]) -> None:
    """A SUCCESS of a run that executed nothing is not taken for a real one."""
    print_summary(a_document(a_task("a", "SUCCESS"), state="SUCCESS", dry_run=True))

    told = capsys.readouterr().err
    assert "nightly dry run 7: SUCCESS" in told
    assert told.strip().endswith("nothing was executed")


def test_lines_end_with_their_last_word(capsys: pytest.CaptureFixture[str]) -> None:
    """A task that has not begun has no duration: no space is left for it."""
    LineView(_nothing).show(a_document(a_task("load", "SUBMITTED")))

    assert capsys.readouterr().err == "SUBMITTED  load\n"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0s"), (59.94, "59.9s"), (65, "1m05s"), (3725, "1h02m"), (-1, "0.0s")]
)
def test_lengths_of_time_are_spelled_as_people_say_them(seconds: float, text: str) -> None:
    """Seconds with a tenth, then minutes, then hours."""
    assert spell(seconds) == text
