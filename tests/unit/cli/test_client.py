"""What a workflow written in Python does by itself, without a server: submitting, and the handle it gives."""

import warnings
from pathlib import Path

import pytest

from orchestrator import noop, workflow
from orchestrator.client import Handle
from orchestrator.config import load_settings
from orchestrator.service import attendance
from orchestrator.service.backend import Backend
from tests.unit.service.submitting import end_run


@workflow
def tiny() -> None:
    """Do nothing."""
    noop("only")


@pytest.fixture(autouse=True)
def _home(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a home whose workflows use the test's database, and no Redis."""
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(backend.settings.home))
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", backend.settings.database)
    monkeypatch.delenv("ORCHESTRATOR_REDIS_URL", raising=False)


def test_submit_without_a_master_warns_in_the_line_of_the_call() -> None:
    """The run is there and waits; one warning says what to start."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        handle = tiny.submit()

    (warning,) = caught
    assert (warning.category, warning.filename) == (RuntimeWarning, __file__)
    assert str(warning.message) == f"run {handle.id}: {attendance.NO_MASTER}"


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_handle_says_which_run_it_is_and_how_far(backend: Backend) -> None:
    """Whoever prints one in a shell reads id, workflow and state, as they are now."""
    handle = tiny.submit()
    assert repr(handle) == f"<Handle id={handle.id} workflow='tiny' state='SUBMITTED'>"

    end_run(backend, handle.id, "SUCCESS")

    assert repr(handle) == f"<Handle id={handle.id} workflow='tiny' state='SUCCESS'>"


def test_handle_can_be_printed_without_its_database(tmp_path: Path) -> None:
    """A debugger that prints it must not fail."""
    settings = load_settings({"ORCHESTRATOR_HOME": str(tmp_path)})

    assert repr(Handle(settings, 7, "tiny")).startswith("<Handle id=7 workflow='tiny' state='unknown: ")
