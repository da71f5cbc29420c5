"""Following a run to its end, and Ctrl-C meanwhile."""

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.cli.follow import Interruptions, Watch, follow, last_line_reader
from orchestrator.cli.live import SilentView
from orchestrator.config import load_settings
from orchestrator.service.backend import Backend
from tests.unit.service.submitting import end_run, submit_small


def a_watch(pause: Callable[[float], object], on_interrupt: Callable[[], None] = lambda: None) -> Watch:
    """Return a watch on which no time passes, and which hears no Ctrl-C."""
    return Watch(pause=pause, clock=lambda: 0.0, on_interrupt=on_interrupt, interruptions=Interruptions())


def test_run_is_followed_until_its_row_says_the_end(backend: Backend) -> None:
    """The last document is the answer."""
    number = submit_small(backend)

    document, interrupted = follow(
        backend, number, SilentView(), a_watch(lambda _: end_run(backend, number, "SUCCESS"))
    )

    assert (document["state"], interrupted) == ("SUCCESS", False)


def test_first_interruption_is_passed_on_and_the_run_is_still_followed(backend: Backend) -> None:
    """Ctrl-C asks for the stop once; the end of the run ends the following."""
    number = submit_small(backend)
    asked: list[str] = []

    def pause(_seconds: float) -> None:
        if asked:
            end_run(backend, number, "STOPPED")
        else:
            os.kill(os.getpid(), signal.SIGINT)

    watch = a_watch(pause, lambda: asked.append("stop"))
    with watch.interruptions:
        document, interrupted = follow(backend, number, SilentView(), watch)

    assert asked == ["stop"]
    assert (document["state"], interrupted) == ("STOPPED", True)


def test_second_interruption_leaves_at_once() -> None:
    """Who presses Ctrl-C twice does not want to wait."""
    before = signal.getsignal(signal.SIGINT)  # ignored, if the tests themselves run in the background
    with Interruptions() as interruptions:
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)

    assert interruptions.count == 2
    assert signal.getsignal(signal.SIGINT) is before


def test_last_line_is_the_last_that_says_something(tmp_path: Path) -> None:
    """Blank lines at the end are passed over; a task without a log says nothing."""
    settings = load_settings({"ORCHESTRATOR_HOME": str(tmp_path)})
    log = settings.logs / "7" / "load.1.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(b"first\nsecond \xff\n\n")

    read = last_line_reader(settings.logs, 7)

    assert read({"name": "load", "attempt": 1}) == "second \ufffd"
    assert read({"name": "other", "attempt": 1}) == ""


def test_run_is_followed_from_any_thread_of_a_program(backend: Backend) -> None:
    """`WORKFLOW.run()` may be called in a thread, where no signal can be heard."""
    number = submit_small(backend)
    end_run(backend, number, "SUCCESS")

    def watched() -> str:
        watch = a_watch(lambda _: None)
        with watch.interruptions:
            return str(follow(backend, number, SilentView(), watch)[0]["state"])

    with ThreadPoolExecutor(1) as threads:
        followed = threads.submit(watched)

    assert followed.result() == "SUCCESS"
