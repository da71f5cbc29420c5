"""What the `orchestrator` program loads when it only shows its commands."""

import subprocess
import sys

HEAVY = ("sqlalchemy", "celery", "redis", "pydantic", "yaml", "alembic")


def test_overview_loads_no_heavy_library() -> None:
    """Celery loads this group in all its programs, and shells for completion: it must cost next to nothing."""
    program = (
        "import sys; from orchestrator.cli.main import exit_code; exit_code(['--help']);"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stderr.strip() == "[]"
