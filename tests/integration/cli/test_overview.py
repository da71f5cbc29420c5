"""What the `orchestrator` program loads: only what a command needs, because people and scripts wait for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.config import load_settings
from orchestrator.store import migrate
from orchestrator.store.session import open_engine

OVERVIEW_NEEDS_NOT = ("sqlalchemy", "celery", "redis", "pydantic", "yaml", "alembic")
LISTING_NEEDS_NOT = (
    "alembic",
    "cel",
    "celery",
    "cronsim",
    "httpx",
    "kombu",
    "psutil",
    "redis",
    "yaml",
    "orchestrator.authoring.build",
    "orchestrator.broker",
    "orchestrator.cli.live",
    "orchestrator.core.inputs",
    "orchestrator.service.backend",
)


def loaded(arguments: list[str], names: tuple[str, ...], home: Path) -> tuple[str, list[str]]:
    """Return what a command printed, and which of these modules it loaded."""
    program = (
        "import sys; from orchestrator.cli.main import exit_code; code = exit_code(sys.argv[1:]);"
        f"print(code, *[name for name in {names!r} if name in sys.modules], file=sys.stderr)"
    )
    environment = {**os.environ, "ORCHESTRATOR_HOME": str(home)}

    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    code, *found = done.stderr.split()
    assert code == "0"
    return done.stdout, found


def test_overview_loads_no_heavy_library(tmp_path: Path) -> None:
    """Celery loads this group in all its programs, and shells for completion: it must cost next to nothing."""
    _, found = loaded(["--help"], OVERVIEW_NEEDS_NOT, tmp_path)

    assert found == []


def test_overview_of_runs_loads_none_of_its_commands(tmp_path: Path) -> None:
    """`runs --help`, too, is answered from a catalogue."""
    text, found = loaded(["runs", "--help"], OVERVIEW_NEEDS_NOT, tmp_path)

    assert "force-success" in text
    assert found == []


@pytest.mark.parametrize("group", ["runs", "definitions"])
def test_listing_needs_the_database_alone(group: str, tmp_path: Path) -> None:
    """What scripts ask most loads no broker, no Celery, and nothing that reads workflow files."""
    text, found = _listed(group, ("sqlalchemy", *LISTING_NEEDS_NOT), tmp_path)

    assert text.strip() == "[]"
    assert found == ["sqlalchemy"]


@pytest.mark.parametrize("group", ["schedules", "environments", "pools"])
def test_listing_of_what_the_database_holds_needs_no_broker(group: str, tmp_path: Path) -> None:
    """When a schedule fires next is reckoned: that needs cron, and nobody else."""
    _, found = _listed(group, ("redis", "kombu", "celery", "orchestrator.broker", "yaml"), tmp_path)

    assert found == []


def _listed(group: str, names: tuple[str, ...], home: Path) -> tuple[str, list[str]]:
    """Return what a list of an empty database printed, and which of these modules it loaded."""
    engine = open_engine(
        load_settings({"ORCHESTRATOR_HOME": str(home)}).database, "migration", connect_timeout_s=5
    )
    migrate.upgrade(engine)
    engine.dispose()

    return loaded([group, "list", "--json"], names, home)
