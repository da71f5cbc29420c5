"""Owns the fixtures of the command line's tests: those of the service, and a clean log set-up."""

from collections.abc import Iterator

import pytest
import structlog

from tests.unit.service.conftest import backend

__all__ = ["backend"]


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Commands configure the log lines of their process; tests share one."""
    yield
    structlog.reset_defaults()
