"""Workflows written in Python, in an interpreter of their own."""

import subprocess
import sys
from pathlib import Path

import orchestrator


def test_script_started_as_main_names_its_real_module(tmp_path: Path) -> None:
    """`__main__` is another module on a worker."""
    file = tmp_path / "as_script.py"
    file.write_text(
        "from orchestrator import task, workflow\n@task\ndef step(): pass\n@workflow\ndef flow():\n    step()\n"
        "print(flow.definition().tasks[0].spec['call'])\n"
    )

    done = subprocess.run([sys.executable, file], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "as_script:step"


def test_importing_tasks_needs_no_heavy_library() -> None:
    """Workers import user modules with tasks: neither pydantic nor YAML comes with them."""
    program = (
        "import sys, orchestrator\n"
        "print([name for name in ('pydantic', 'yaml', 'celery', 'cel') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
    assert set(orchestrator.__all__) >= {"task", "workflow", "shell", "Defer"}
