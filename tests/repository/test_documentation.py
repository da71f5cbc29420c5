"""What the documents say is compared with the code: settings, log events, links, commands, examples in YAML."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from orchestrator import secret_source
from orchestrator.authoring import expressions, names
from orchestrator.authoring.checks import MAX_DEPENDENCIES
from orchestrator.authoring.document import MAX_DEPTH, MAX_TEXT_BYTES
from orchestrator.authoring.load import load_file
from orchestrator.authoring.schedules import MOST_SCHEDULES
from orchestrator.broker.codec import MAX_EVENT_BYTES
from orchestrator.cli.main import CATALOGUE
from orchestrator.config import Settings
from orchestrator.core import parameters
from orchestrator.master.spreader import MOST_OUTPUT_BYTES
from orchestrator.service import backfills, pool_sizes
from orchestrator.worker import outputs

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCUMENTS = sorted([README, ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
YAML_BLOCKS = [
    block
    for document in DOCUMENTS
    for block in re.findall(r"```yaml\n(.+?)```", document.read_text(encoding="utf-8"), re.DOTALL)
]
LIMITS = {
    "tasks of a workflow": f"{names.MAX_TASKS:,}",
    "edges (`needs`) of a workflow": f"{names.MAX_NEEDS:,}",
    "a definition": f"{names.MAX_DOCUMENT_BYTES // 1024**2} MiB",
    "a YAML file": f"{MAX_TEXT_BYTES // 1024**2} MiB",
    "depth of a YAML file": f"{MAX_DEPTH}",
    "a name": f"{names.MAX_NAME} characters",
    "schedules of a workflow": f"{MOST_SCHEDULES}",
    "dependencies of a `dependent` task": f"{MAX_DEPENDENCIES}",
    "elements of a map": f"{names.MAX_ELEMENTS:,}",
    "outputs of a task": f"{outputs.LIMIT_BYTES // 1024} KiB",
    "outputs of a map, all elements together": f"{MOST_OUTPUT_BYTES // 1024**2} MiB",
    "what is resolved for one attempt": f"{parameters.MAX_INPUT_BYTES // 1024**2} MiB",
    "one variable of a shell task": f"{parameters.MAX_SHELL_VALUE_BYTES // 1024} KiB",
    "a secret": f"{secret_source.LIMIT_BYTES // 1024} KiB",
    "length of an expression": f"{expressions.MAX_LENGTH:,} characters",
    "inputs of an expression": f"{expressions.MAX_INPUT_BYTES // 1024} KiB",
    "a list or map in an expression": f"{expressions.MAX_ELEMENTS:,}",
    "a report of a worker": f"{MAX_EVENT_BYTES // 1024} KiB",
    "runs of one backfill": f"{backfills.MOST_RUNS:,}",
    "slots of a pool": f"{pool_sizes.MOST_SLOTS:,}",
}
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


def test_limits_are_those_of_the_code() -> None:
    """The table of limits says what is enforced, each number as people write it."""
    text = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \| ([\d,]+(?: \w+)?) \| .+ \|$", text, re.MULTILINE)

    assert dict(rows) == LIMITS
    assert len(rows) == text.count("\n| ") - 1  # all but the heading
    assert f"({Settings.model_fields['map_limit'].default:,} without it)" in text


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
                case ast.Call(func=ast.Name(id="Lines"), keywords=keywords):  # those of a duty
                    yield from (
                        event for one in keywords if one.arg != "subject" for event in _names(one.value)
                    )
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
