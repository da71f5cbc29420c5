"""Owns the fixtures of the service's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.config import load_settings
from orchestrator.service.backend import Backend


@pytest.fixture
def backend(sqlite_url: str, tmp_path: Path) -> Iterator[Backend]:
    """Give services on an empty SQLite database, without a Redis."""
    settings = load_settings(
        {"ORCHESTRATOR_HOME": str(tmp_path / "home"), "ORCHESTRATOR_DATABASE_URL": sqlite_url}
    )
    backend = Backend(settings)
    yield backend
    backend.close()
