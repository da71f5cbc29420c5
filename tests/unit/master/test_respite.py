"""What dispatcher and judge do when the database cannot answer what their candidates need."""

from structlog.testing import capture_logs

from orchestrator.errors import StoreUnavailable
from orchestrator.master.respite import LASTS_S, Respite
from orchestrator.master.supplies import Candidate
from tests.builders import a_task, an_attempt, an_instance


def a_candidate(task: str) -> Candidate:
    """Return an attempt whose inputs are wanted."""
    return Candidate(instance=an_instance(a_task(task)), attempt=an_attempt(task), latest={}, sources=())


def test_database_that_is_away_is_asked_nothing_for_a_moment() -> None:
    """It is said once for each try; then everything goes on by itself."""
    now = 0.0
    respite = Respite(lambda _: True, lambda *_: None, lambda: now)
    assert not respite.lasts

    with capture_logs() as logs:
        respite.begin([], StoreUnavailable("restarting"))

    assert [(line["event"], line["log_level"]) for line in logs] == [("store.unavailable", "warning")]
    assert respite.lasts
    now = LASTS_S
    assert not respite.lasts


def test_what_was_taken_out_of_line_waits_again() -> None:
    """But not where the run was parked meanwhile: it is loaded anew, and lines up by itself."""
    here, parked = a_candidate("here"), a_candidate("parked")
    lined_up: list[str] = []
    respite = Respite(
        lambda candidate: candidate is here, lambda _, attempt: lined_up.append(attempt.task), lambda: 0.0
    )

    respite.begin([here, parked], StoreUnavailable("restarting"))

    assert lined_up == ["here"]
