"""How log lines look, and where they go."""

import io
import sys

import pytest
import structlog

from orchestrator.logging import configure


def test_logger_writes_to_what_is_standard_error_by_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was used before speaks on, when the stream of that time is closed."""
    configure("INFO", "json")
    log = structlog.get_logger()
    before, now = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", before)
    log.info("test.before")
    before.close()

    monkeypatch.setattr(sys, "stderr", now)
    log.info("test.now")

    assert '"event": "test.now"' in now.getvalue()


@pytest.mark.parametrize("form", ["json", "console"])
def test_errors_are_told_without_the_values_of_variables(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """A traceback names files, lines and the error; what functions were given may be a secret."""
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    configure("INFO", form)

    try:
        fail("hunter" + str(2))
    except ValueError:
        structlog.get_logger().exception("test.failed")

    assert "test_logging.py" in written.getvalue()
    assert "ValueError" in written.getvalue()
    assert "hunter2" not in written.getvalue()


def fail(password: str) -> None:
    """Raise what says nothing of the password."""
    raise ValueError(f"{len(password)} letters")
