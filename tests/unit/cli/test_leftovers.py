"""What `run` says about runs that an earlier `run` left unfinished."""

import pytest

from orchestrator.cli.leftovers import find_leftovers, say_what_goes_on, say_what_is_left
from orchestrator.config import load_settings
from orchestrator.service.backend import Backend
from tests.unit.service.submitting import end_run, submit_small


def test_unfinished_runs_of_the_home_are_named_and_those_that_remain(
    backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    """The new set-up goes on with them: one line says so, and one what is still left at the end."""
    ended, paused, first, second = (submit_small(backend) for _ in range(4))
    end_run(backend, ended, "SUCCESS")
    end_run(backend, paused, "PAUSED")
    end_run(backend, first, "RUNNING")

    leftovers = find_leftovers(backend, backend.settings)
    say_what_goes_on(leftovers)
    end_run(backend, first, "SUCCESS")
    say_what_is_left(backend, leftovers)

    begun, left = capsys.readouterr().err.splitlines()
    assert begun.startswith(f"continuing run {first} of small, run {second} of small, left unfinished")
    assert f"runs stop {first}" in begun
    assert left.startswith(f"still unfinished: run {second} of small;")


def test_runs_of_a_shared_database_are_not_accused(
    backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    """Others may carry them out; they are no leftovers of this home."""
    submit_small(backend)

    leftovers = find_leftovers(backend, load_settings({"ORCHESTRATOR_HOME": str(backend.settings.home)}))
    say_what_goes_on(leftovers)
    say_what_is_left(backend, leftovers)

    assert leftovers == []
    assert capsys.readouterr().err == ""
