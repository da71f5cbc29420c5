"""Relative paths in settings: one place, whoever reads them."""

import os
from pathlib import Path

import pytest

from orchestrator.config import load_settings
from orchestrator.setting_paths import absolute_database, for_children


def test_children_see_relative_paths_from_where_the_command_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker of `run` works beside the definition: there `bundles` would be another directory."""
    monkeypatch.chdir(tmp_path)

    settled = for_children(
        {
            "ORCHESTRATOR_BUNDLES": "bundles",
            "ORCHESTRATOR_SECRETS_DIR": "/run/secrets",
            "ORCHESTRATOR_DATABASE_URL": "sqlite:///o.db",
            "ORCHESTRATOR_CONNECTION_SHOP": "sqlite+pysqlite:///shop.db?timeout=5",
            "ORCHESTRATOR_CONNECTION_BOOKS": "secret://books",
            "ORCHESTRATOR_SOURCE_DIR": " ",
            "PYTHONPATH": f"src{os.pathsep}/lib",
        }
    )

    assert settled == {
        "ORCHESTRATOR_BUNDLES": f"{tmp_path}/bundles",
        "ORCHESTRATOR_SECRETS_DIR": "/run/secrets",
        "ORCHESTRATOR_DATABASE_URL": f"sqlite:///{tmp_path}/o.db",
        "ORCHESTRATOR_CONNECTION_SHOP": f"sqlite+pysqlite:///{tmp_path}/shop.db?timeout=5",
        "ORCHESTRATOR_CONNECTION_BOOKS": "secret://books",
        "ORCHESTRATOR_SOURCE_DIR": " ",
        "PYTHONPATH": f"{tmp_path}/src{os.pathsep}/lib",
    }
    assert load_settings(settled).bundles == tmp_path / "bundles"


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:////srv/o.db",
        "postgresql+psycopg2://h/d",
        "sqlite:///file:o",
    ],
)
def test_urls_without_a_relative_file_stay_as_they_are(url: str) -> None:
    """Only a path can be relative."""
    assert absolute_database(url) == url
