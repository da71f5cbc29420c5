"""The documentation builds offline without a warning, and the workflows that it shows run."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator import testing
from orchestrator.authoring.load import load_file

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
NAMED = re.compile(r"```python\n# file: (\w+\.py)\n(.+?)```", re.DOTALL)
SAMPLES = [(name, text) for page in PAGES for name, text in NAMED.findall(page.read_text(encoding="utf-8"))]
BLOCKS = [
    (page.name, text)
    for page in PAGES
    for text in re.findall(r"```python\n(.+?)```", page.read_text(encoding="utf-8"), re.DOTALL)
]


@pytest.mark.integration
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    """Every link and anchor leads somewhere, and the generated pages are there."""
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict"]
    built = subprocess.run(
        [*command, "--config-file", str(ROOT / "docs/site/mkdocs.yml"), "--site-dir", str(tmp_path / "site")],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "", "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)},
    )

    assert (built.returncode, built.stderr.strip()) == (0, "")
    for page in (
        "examples",
        "reference/fields",
        "reference/commands",
        "reference/states",
        "reference/errors",
    ):
        assert (tmp_path / "site" / page / "index.html").is_file()


@pytest.mark.parametrize(("name", "text"), SAMPLES, ids=[name for name, _ in SAMPLES])
def test_a_workflow_that_is_shown_runs(name: str, text: str, tmp_path: Path) -> None:
    """As it stands, on the real core."""
    file = tmp_path / f"shown_{name}"
    file.write_text(text, encoding="utf-8")

    (definition,) = load_file(file)

    assert testing.run(definition).state == "SUCCESS"


@pytest.mark.parametrize(("page", "text"), BLOCKS, ids=[page for page, _ in BLOCKS])
def test_python_that_is_shown_is_python(page: str, text: str) -> None:
    """Other people's, too."""
    assert ast.parse(text).body, page
