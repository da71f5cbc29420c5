"""The use cases of schedules and backfills, on a real (SQLite) store without a master."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.authoring.load import load_file, load_text
from orchestrator.errors import Conflict, NotFound, UserError
from orchestrator.service import definitions, schedules, submission
from orchestrator.service.backend import Backend
from orchestrator.service.backfills import BackfillOptions, backfill
from orchestrator.service.submission import SubmitOptions

NIGHTLY = """
workflow:
  name: nightly
  timezone: Europe/Paris
  params: {region: eu}
  schedules: [SCHEDULES]
tasks:
  - {name: a, type: noop}
"""
ONE = "{cron: '0 2 * * *'}"


def deploy(backend: Backend, written: str = ONE, *, online: bool = True) -> list[int]:
    """Deploy the workflow with these schedules; return their ids."""
    definitions.deploy(backend, load_text(NIGHTLY.replace("SCHEDULES", written)), online=online)
    return [one["id"] for one in schedules.list_schedules(backend)]


def fill(backend: Backend, first: str, last: str, **options: Any) -> list[str]:
    """Backfill and return the planned times of the new runs, in their order."""
    made = backfill(backend, "nightly", BackfillOptions(first=first, last=last, **options))
    return [backend.queries.run(number)["planned_time"] for number in made["workflow_instance_ids"]]


def test_list_says_what_the_interface_promises(backend: Backend) -> None:
    """`{id, workflow, cron, timezone, misfire, paused, next}`; nothing is next while it rests."""
    (number,) = deploy(backend)

    (shown,) = schedules.list_schedules(backend)
    assert {name: shown[name] for name in ("workflow", "cron", "timezone", "misfire", "paused")} == {
        "workflow": "nightly", "cron": "0 2 * * *", "timezone": "Europe/Paris", "misfire": "once",
        "paused": False,
    }  # fmt: skip
    assert shown["next"].endswith(":00:00Z")
    assert schedules.set_paused(backend, number, paused=True)["next"] is None
    assert schedules.set_paused(backend, number, paused=False)["next"] == shown["next"]
    definitions.set_online(backend, "nightly", online=False)
    assert schedules.list_schedules(backend)[0]["next"] is None


def test_next_times_are_said_also_while_it_is_paused(backend: Backend) -> None:
    """So many as asked for."""
    (number,) = deploy(backend)
    schedules.set_paused(backend, number, paused=True)

    times = schedules.next_times(backend, number, 3)

    assert len(times) == 3
    assert times == sorted(times)
    with pytest.raises(NotFound, match="no schedule 99"):
        schedules.next_times(backend, 99, 3)


def test_offline_deployment_fires_nothing(backend: Backend) -> None:
    """Its schedules come with going online."""
    assert deploy(backend, online=False) == []

    definitions.set_online(backend, "nightly", online=True)

    assert len(schedules.list_schedules(backend)) == 1


def test_manual_run_of_a_scheduled_workflow_is_accepted(backend: Backend) -> None:
    """It ignores the schedules; keys of schedules and backfills are not for people."""
    deploy(backend)

    made = submission.submit_texts(backend, "nightly", (), SubmitOptions())

    assert made["created"]
    for key in ("schedule:1:x", "backfill:1:x"):
        with pytest.raises(UserError, match="idempotency key"):
            submission.submit_texts(backend, "nightly", (), SubmitOptions(idempotency_key=key))


def test_backfill_takes_the_times_of_the_schedule(backend: Backend) -> None:
    """Both ends included, by the clocks of its zone; the summer's end is one hour later in UTC."""
    deploy(backend)

    assert fill(backend, "2026-10-24", "2026-10-26") == [
        "2026-10-24T00:00:00Z", "2026-10-25T00:00:00Z", "2026-10-26T01:00:00Z",
    ]  # fmt: skip


def test_backfill_without_a_schedule_is_daily(backend: Backend) -> None:
    """At the time of day of `--from`, also on the last day; the latest first if wanted."""
    deploy(backend, "")

    assert fill(backend, "2026-11-01T06:30", "2026-11-03") == [
        "2026-11-01T05:30:00Z", "2026-11-02T05:30:00Z", "2026-11-03T05:30:00Z",
    ]  # fmt: skip
    assert fill(backend, "2026-11-01T07:00Z", "2026-11-02T06:59Z") == ["2026-11-01T07:00:00Z"]
    assert fill(backend, "2026-12-01", "2026-12-02", descending=True) == [
        "2026-12-01T23:00:00Z", "2026-11-30T23:00:00Z",
    ]  # fmt: skip


def test_both_ends_of_a_backfill_are_included(backend: Backend) -> None:
    """To the second: a range from one planned time to the next holds two."""
    deploy(backend, "")

    assert fill(backend, "2026-11-01T06:30", "2026-11-02T06:30") == [
        "2026-11-01T05:30:00Z", "2026-11-02T05:30:00Z",
    ]  # fmt: skip
    assert fill(backend, "2026-12-01T06:30", "2026-12-02T06:29:59") == ["2026-12-01T05:30:00Z"]


def test_backfill_of_one_schedule_of_several(backend: Backend) -> None:
    """It must be said which, by its id."""
    _, noon = deploy(backend, "{cron: '0 2 * * *'}, {cron: '0 12 * * *'}")

    with pytest.raises(UserError, match="several schedules; say which: --schedule 1 or 2"):
        fill(backend, "2026-11-01", "2026-11-02")
    with pytest.raises(NotFound, match="no schedule 9; it has 1 or 2"):
        fill(backend, "2026-11-01", "2026-11-02", schedule=9)

    assert fill(backend, "2026-11-01", "2026-11-01", schedule=noon) == ["2026-11-01T11:00:00Z"]


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        ("2026-11-02", "2026-11-01", "lies after --to"),
        ("tomorrow", "2026-11-01", "--from tomorrow is no time"),
        ("2026-11-01", "soon", "--to soon is no time"),
        ("2026-11-01T03:00", "2026-11-01T04:00", "no planned time"),
        ("1900-01-01", "2026-11-01", "more than 10000"),
    ],
)
def test_range_that_is_wrong_is_refused(backend: Backend, first: str, last: str, message: str) -> None:
    """One clear message; nothing is made."""
    deploy(backend)

    with pytest.raises(UserError, match=message):
        fill(backend, first, last)


def test_what_cannot_be_filled_is_refused(backend: Backend) -> None:
    """An offline workflow, an unknown one, and a parameter that is not declared."""
    deploy(backend)
    with pytest.raises(UserError, match="did you mean 'region'"):
        fill(backend, "2026-11-01", "2026-11-01", parameters=("regoin=x",))
    with pytest.raises(NotFound, match="nightly"):
        backfill(backend, "nightli", BackfillOptions(first="2026-11-01", last="2026-11-01"))
    definitions.set_online(backend, "nightly", online=False)
    with pytest.raises(Conflict, match="offline"):
        fill(backend, "2026-11-01", "2026-11-01")


def test_schedule_whose_end_has_passed_is_deployed_with_a_warning(backend: Backend, tmp_path: Path) -> None:
    """An old file can be deployed again; that nothing of it will fire is said with its place."""
    file = tmp_path / "old.yaml"
    over, later = "{cron: '0 2 * * *', end: 2020-01-31}", "{cron: '0 3 * * *', end: 2999-01-31}"
    file.write_text(NIGHTLY.replace("SCHEDULES", f"{later}, {over}"))

    (deployed,) = definitions.deploy(backend, load_file(file), online=True, files=[file])

    (warning,) = deployed["warnings"]
    assert warning.startswith(
        f"{file}:6: workflow 'nightly', field 'schedules[1]': '0 2 * * *' fires no more:"
    )
    assert "2020-01-31; give it a later end" in warning
    assert deployed["created"]


def test_schedules_that_fire_are_deployed_without_a_warning(backend: Backend) -> None:
    """Offline nothing fires anyway."""
    for written, online in ((ONE, True), ("{cron: '0 2 * * *', end: 2020-01-31}", False)):
        (deployed,) = definitions.deploy(
            backend, load_text(NIGHTLY.replace("SCHEDULES", written)), online=online
        )

        assert deployed["warnings"] == []
