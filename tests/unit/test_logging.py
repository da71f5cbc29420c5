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
