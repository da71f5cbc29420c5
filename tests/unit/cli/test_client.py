"""What a workflow written in Python does by itself, without a server: submitting, and the handle it gives."""

import warnings
from pathlib import Path

import pytest

from orchestrator import noop, shell, workflow
from orchestrator.client import Handle
from orchestrator.config import load_settings
from orchestrator.errors import Conflict, UserError
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


@workflow
def ordered(number: int = 0) -> None:
    """Ship an order."""
    shell("only", "true", params={"n": number})


@workflow
def keyed(idempotency_key: str = "") -> None:
    """Use a key of its own."""
    shell("only", "true", params={"key": idempotency_key})


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_same_idempotency_key_gives_the_run_that_is_there() -> None:
    """Whoever did not hear the answer asks again; another request under the key is refused with that run."""
    first = ordered.submit(number=7, idempotency_key="order-7")

    assert ordered.submit(number=7, idempotency_key="order-7").id == first.id
    with pytest.raises(Conflict, match=f"belongs to run {first.id},"):
        ordered.submit(number=8, idempotency_key="order-7")
    with pytest.raises(UserError, match="an idempotency key is a text, not 7"):
        ordered.submit(idempotency_key=7)  # type: ignore[arg-type]  # what people try


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_parameter_that_is_called_like_the_key_stays_a_parameter() -> None:
    """Such workflows were there before the key was: each submission is a run."""
    first, second = (keyed.submit(idempotency_key="mine") for _ in range(2))

    assert first.id != second.id
    assert first.show()["params"] == {"idempotency_key": "mine"}


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
