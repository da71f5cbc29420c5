"""The wheel holds all that a machine without the source tree needs."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WITHIN_S = 120

pytestmark = [pytest.mark.acceptance]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and unpack it, as an installation does."""
    directory = tmp_path_factory.mktemp("wheel")
    command = (
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(directory),
        str(ROOT),
    )
    _python(command, directory, {})
    (wheel,) = directory.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(directory / "site")
    return directory / "site"


def test_wheel_holds_the_package_with_its_migrations_and_nothing_else(unpacked: Path) -> None:
    """Every module and migration is there; tests, benchmarks and caches are not."""
    modules = {path.relative_to(ROOT) for path in (ROOT / "orchestrator").rglob("*.py")}
    migrations = {
        Path("orchestrator/_alembic") / path.relative_to(ROOT / "alembic")
        for path in (ROOT / "alembic").rglob("*.py")
    }
    packed = {path.relative_to(unpacked) for path in unpacked.rglob("*") if path.is_file()}

    assert modules | migrations | {Path("orchestrator/py.typed")} <= packed
    assert {path.parts[0].split("-")[0] for path in packed} == {"orchestrator"}
    assert not [path for path in packed if "__pycache__" in path.parts]


def test_wheel_migrates_a_database_without_the_source_tree(unpacked: Path, tmp_path: Path) -> None:
    """`orchestrator db upgrade` finds its migrations inside the wheel."""
    environment = {"PYTHONPATH": str(unpacked), "ORCHESTRATOR_HOME": str(tmp_path / "home")}

    imported = _python(("-c", "import orchestrator; print(orchestrator.__file__)"), tmp_path, environment)
    _python(("-m", "orchestrator.cli", "db", "upgrade"), tmp_path, environment)

    assert Path(imported.strip()).is_relative_to(unpacked)
    assert (tmp_path / "home" / "orchestrator.db").stat().st_size > 0


def test_wheel_runs_a_workflow_without_the_source_tree(unpacked: Path, tmp_path: Path) -> None:
    """`orchestrator run` starts master and worker from the wheel."""
    environment = {"PYTHONPATH": str(unpacked), "ORCHESTRATOR_HOME": str(tmp_path / "home")}
    file = tmp_path / "hello.yaml"
    file.write_text("workflow: {name: hello}\ntasks: [{name: greet, type: shell, run: echo hello}]\n")

    printed = _python(("-m", "orchestrator.cli", "run", str(file), "--json"), tmp_path, environment)

    assert json.loads(printed)["state"] == "SUCCESS"


def _python(arguments: tuple[str, ...], directory: Path, environment: Mapping[str, str]) -> str:
    """Run Python in `directory` with this environment less anybody's own settings; return what it printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env={**kept, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
