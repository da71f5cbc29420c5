"""What the documents say is compared with the code: settings, log events, links, commands, examples in YAML."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from orchestrator.authoring.load import load_file
from orchestrator.cli.main import CATALOGUE
from orchestrator.config import Settings

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCUMENTS = sorted([README, ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
YAML_BLOCKS = [
    block
    for document in DOCUMENTS
    for block in re.findall(r"```yaml\n(.+?)```", document.read_text(encoding="utf-8"), re.DOTALL)
]
LOG_METHODS = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})


def test_readme_has_the_two_commands_that_continuous_integration_reads() -> None:
    """`.ci/run` takes the test command from the README, so that it can never rot."""
    text = README.read_text(encoding="utf-8")

    for name, end in (("run", "orchestrator run examples/package_audit.yaml"), ("tests", "python -m pytest")):
        block = re.search(rf"<!-- command: {name} -->\n```sh\n(.+)\n```\n", text)
        assert block is not None
        assert re.fullmatch(rf"python3 -m venv \.venv && .+ && \.venv/bin/{re.escape(end)}", block[1])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files(document: Path) -> None:
    """A relative link in a document leads to something that exists."""
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))

    assert not [target for target in targets if not (document.parent / target).exists()]


def test_operations_lists_every_setting() -> None:
    """A setting that is not documented does not exist for its user, and the other way round."""
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(ORCHESTRATOR_[A-Z_]+)` \|", text, re.MULTILINE))

    assert documented == {f"ORCHESTRATOR_{name.upper()}" for name in Settings.model_fields}


def test_readme_lists_every_log_event() -> None:
    """The list of log events is complete and holds nothing that is gone."""
    text = README.read_text(encoding="utf-8")
    section = text.partition("<!-- log events -->")[2].partition("<!-- end of log events -->")[0]
    heads = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    documented = {name for head in heads for name in re.findall(r"`([a-z_.]+)…?`", head)}

    assert set(_log_events()) == documented


@pytest.mark.parametrize("text", YAML_BLOCKS)
def test_yaml_of_the_documents_is_valid(text: str, tmp_path: Path) -> None:
    """What a reader copies out of a document validates."""
    file = tmp_path / "copied.yaml"
    file.write_text(text, encoding="utf-8")

    assert load_file(file)


def test_passwords_that_compose_asks_for_are_exported_where_it_is_described() -> None:
    """Compose refuses every command without them: who copies the lines of the document has set them before."""
    text = (ROOT / "docker" / "compose.yaml").read_text(encoding="utf-8")
    required = set(re.findall(r"\$\{(\w+):\?", text))

    for document in (text, (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")):
        before = document.partition("docker compose -f docker/compose.yaml up")[0]
        exported = re.findall(r"export (.+=….+=…)", before)[-1]
        assert set(re.findall(r"(\w+)=…", exported)) == required


def test_compose_runs_commands_that_there_are_in_the_image_that_there_is() -> None:
    """Compose file, Dockerfile and program agree: commands, the file that is built, and what it copies."""
    services = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text(encoding="utf-8"))["services"]
    ours = {name: one for name, one in services.items() if one["image"] == "orchestrator"}
    dockerfile = ROOT / ours["master"]["build"]["dockerfile"]
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", dockerfile.read_text(encoding="utf-8"), re.MULTILINE)

    assert {"migrate", "master", "worker", "flower", "orchestrator"} == ours.keys()
    assert {one["command"][0] for one in ours.values() if one.get("command")} <= CATALOGUE.keys()
    assert all((ROOT / name).exists() for names in copied for name in names.split())
    assert "ORCHESTRATOR_DATABASE_URL" not in services["worker"]["environment"]


def _log_events() -> Iterator[str]:
    """Yield the event names that the code logs; a name made of parts counts with its constant beginning."""
    for path in (ROOT / "orchestrator").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if "log." not in text:
            continue  # nothing is parsed for nothing
        tree = ast.parse(text)
        writers = _writers(tree)
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=attr), args=args) if (
                    attr in LOG_METHODS
                ):
                    yield from _names(args[1] if attr == "log" else args[0])
                case ast.Call(func=ast.Name(id=name), args=[first, *_]) if name in writers:
                    yield from _names(first)
                case ast.Call(func=ast.IfExp(body=ast.Attribute(value=ast.Name(id="log"))), args=[first, *_]):
                    yield from _names(first)


def _writers(tree: ast.Module) -> set[str]:
    """Return the names that stand for a method of the logger: `write = log.info if calm else log.error`."""
    return {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Name) for target in node.targets)
        and re.search(r"\blog\.(info|debug|warning|error)\b(?!\()", ast.unparse(node))
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _names(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(name)):
            yield name
        case ast.JoinedStr(values=[ast.Constant(value=str(beginning)), *_]):
            yield beginning
        case ast.IfExp(body=body, orelse=orelse):
            yield from (*_names(body), *_names(orelse))
