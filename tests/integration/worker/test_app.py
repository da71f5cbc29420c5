"""The Celery app in an interpreter of its own: safe without servers and database, open to a deployment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster import ROOT


def run_python(code: str, directory: Path, **variables: str) -> str:
    """Run `code` in a new interpreter with an empty home and return what it prints."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
    environment = {**inherited, "ORCHESTRATOR_HOME": str(directory), **variables}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def test_worker_imports_nothing_of_the_database(tmp_path: Path) -> None:
    """Workers never open the database: nothing of it is even imported."""
    code = (
        "import sys, orchestrator.celery, orchestrator.worker.assembly\n"
        "print([n for n in sys.modules if n.split('.')[0] in ('sqlalchemy', 'alembic', 'psycopg2')\n"
        "       or n.startswith('orchestrator.store')])"
    )

    assert run_python(code, tmp_path) == "[]"


def test_app_needs_no_server_to_be_imported(tmp_path: Path) -> None:
    """Without any Redis the app exists, and its broker leads nowhere but into the home."""
    printed = run_python("from orchestrator.celery import app; print(app.conf.broker_url)", tmp_path)

    assert printed == f"redis+socket://{tmp_path}/run/redis-is-not-running.sock?virtual_host=0"


def test_deployment_overrides_the_defaults(tmp_path: Path) -> None:
    """A `celeryconfig.py` in the working directory wins; what it does not name stays."""
    (tmp_path / "celeryconfig.py").write_text("worker_prefetch_multiplier = 3\n")
    code = (
        "from orchestrator.celery import app\n"
        "print(app.conf.worker_prefetch_multiplier, app.conf.worker_direct, app.conf.accept_content)"
    )

    assert run_python(code, tmp_path) == "3 True ['json']"


def test_celery_finds_the_app_by_the_packages_name(tmp_path: Path) -> None:
    """`celery -A orchestrator`."""
    code = "from celery.app.utils import find_app; print(find_app('orchestrator').main)"

    assert run_python(code, tmp_path) == "orchestrator"


def run_celery(directory: Path, *arguments: str, **variables: str) -> tuple[int, list[str]]:
    """Run `celery -A orchestrator …` in an empty home; return its exit code and its `error:` lines."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
    done = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "orchestrator", *arguments],
        cwd=directory,
        env={**inherited, "PYTHONPATH": str(ROOT), "ORCHESTRATOR_HOME": str(directory), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, [line for line in done.stderr.splitlines() if line.startswith("error: ")]


@pytest.mark.parametrize("command", ["worker", "flower"])
def test_celery_without_any_redis_says_what_to_do(tmp_path: Path, command: str) -> None:
    """Neither retries for ever: nobody would come."""
    code, (line,) = run_celery(tmp_path, command)

    assert code == 2
    assert line.startswith(
        f"error: no Redis: none is named, and none runs in {tmp_path}; start `orchestrator up`"
    )


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        (
            "ORCHESTRATOR_LEASE_SECONDS",
            "soon",
            "error: ORCHESTRATOR_LEASE_SECONDS: 'soon' is not a number above 0",
        ),
        (
            "ORCHESTRATOR_BROKER_URL",
            "ampq://h//",
            "error: ORCHESTRATOR_BROKER_URL: 'ampq://h//' is of no kind",
        ),
    ],
)
def test_celery_with_a_wrong_setting_names_it(tmp_path: Path, variable: str, value: str, told: str) -> None:
    """One line instead of the traceback of an app that cannot be loaded."""
    code, lines = run_celery(tmp_path, "worker", **{variable: value})

    assert (code, len(lines)) == (2, 1)
    assert lines[0].startswith(told)


def test_celery_worker_with_a_name_that_nobody_can_carry_is_refused(tmp_path: Path) -> None:
    """Before anything is taken from the broker."""
    redis = {"ORCHESTRATOR_REDIS_URL": f"unix://{tmp_path}/nobody.sock"}

    code, (line,) = run_celery(tmp_path, "worker", "-n", "a b@host", **redis)

    assert code == 2
    assert line.startswith("error: 'a b@host' cannot be a worker's name")
