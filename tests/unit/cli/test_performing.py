"""The middle of a `run`: from the moment at which there is a run, Ctrl-C is for it."""

import os
import signal
from typing import Any

import pytest

from orchestrator.cli.performing import submit_and_follow
from orchestrator.cli.running import Prepared
from orchestrator.service.backend import Backend
from orchestrator.store.submissions import Submissions
from tests.unit.service.submitting import end_run, small_definition


def test_interruption_in_the_moment_of_the_submission_stops_the_run(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is stored already, and is not followed yet: it is stopped all the same, and waited for."""
    submit = Submissions.submit

    def interrupted(self: Submissions, request: Any) -> Any:
        submitted = submit(self, request)
        os.kill(os.getpid(), signal.SIGINT)
        return submitted

    def pause(_seconds: float) -> None:
        assert [command.kind for command in backend.commands.pending(range(64), 10)] == ["START", "STOP"]
        end_run(backend, 1, "STOPPED")

    monkeypatch.setattr(Submissions, "submit", interrupted)
    definition = small_definition()
    prepared = Prepared(found=[definition], chosen=definition)

    document, was_interrupted = submit_and_follow(backend, prepared, pause, silent=True)

    assert (document["state"], was_interrupted) == ("STOPPED", True)
