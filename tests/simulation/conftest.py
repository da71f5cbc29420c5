"""Fixtures of the simulation's tests: what it does to the log of this process is taken back."""

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True, scope="package")
def quiet_afterwards() -> Iterator[None]:
    """Let the tests that come after these in the same process see log lines again."""
    yield
    structlog.reset_defaults()
