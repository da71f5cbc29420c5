"""Owns the pages of the documentation that are made from the code: examples, fields, commands, states, errors."""

import inspect
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import rich_click as click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from orchestrator import errors
from orchestrator.authoring.schema import json_schema
from orchestrator.cli.main import cli
from orchestrator.core.status import TASK_EDGES, TASK_INITIAL, WORKFLOW_EDGES

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages; MkDocs calls this before it reads any."""
    pages = {
        "examples.md": examples_page(),
        "reference/fields.md": fields_page(),
        "reference/commands.md": commands_page(),
        "reference/states.md": states_page(),
        "reference/errors.md": errors_page(),
    }
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Let links that leave the documentation lead to the source tree's own name for it."""
    return markdown.replace("](../README.md", "](index.md").replace("](../CHANGELOG.md", "](index.md")


def examples_page() -> str:
    """Return every example file, as it is run by the tests."""
    parts = ["# Examples", "", "The tests run each of these files as it stands: `orchestrator run FILE`.", ""]
    for path in sorted(EXAMPLES.glob("*.*")):
        if path.suffix in {".yaml", ".py"}:
            language = "yaml" if path.suffix == ".yaml" else "python"
            text = path.read_text(encoding="utf-8").rstrip()
            parts += [f"## {path.name}", "", f"```{language}", text, "```", ""]
    return "\n".join(parts)


def fields_page() -> str:
    """Return a table of fields for the workflow and for each type of task, from the JSON Schema."""
    schema = json_schema()
    definitions: Mapping[str, Any] = schema.get("$defs", {})
    parts = ["# All fields", "", "From the JSON Schema, which `orchestrator schema` prints for editors.", ""]
    for name in sorted(definitions):
        one = definitions[name]
        if one.get("properties"):
            parts += [f"## {name}", "", _first_line(one.get("description", "")), "", *_fields(one), ""]
    return "\n".join(parts)


def commands_page() -> str:
    """Return the help of every command."""
    parts = ["# Command line", ""]
    for path, command in _commands(cli, ("orchestrator",)):
        context = click.Context(command, info_name=" ".join(path))
        parts += [f"## `{' '.join(path)}`", "", inspect.cleandoc(command.help or "").replace("\b", ""), ""]
        parts += ["```text", command.get_usage(context), "```", ""]
        parts += [f"- `{'`, `'.join(one.opts)}`: {one.help or ''}" for one in _options(command)]
        example = (command.epilog or "").removeprefix("Example: ")
        parts += ["", f"Example: `{example}`" if example else "", ""]
    return "\n".join(parts)


def states_page() -> str:
    """Return the two tables of states."""
    parts = ["# States", "", "## Task instances", "", "| from | to |", "|---|---|"]
    parts.append(f"| (new) | {', '.join(sorted(TASK_INITIAL))} |")
    parts += [f"| {one} | {', '.join(sorted(to)) or 'final'} |" for one, to in TASK_EDGES.items()]
    parts += ["", "## Workflow instances", "", "| from | to |", "|---|---|"]
    parts += [f"| {one} | {', '.join(sorted(to)) or 'final'} |" for one, to in WORKFLOW_EDGES.items()]
    return "\n".join([*parts, ""])


def errors_page() -> str:
    """Return every error class with what it means, and the exit codes."""
    parts = ["# Errors", "", "## Exit codes", "", *_EXIT_CODES, ""]
    parts += ["## Classes", "", "| class | meaning |", "|---|---|"]
    for name, one in vars(errors).items():
        if inspect.isclass(one) and issubclass(one, Exception):
            parts.append(f"| `{name}` | {_first_line(inspect.getdoc(one) or '')} |")
    return "\n".join([*parts, ""])


_EXIT_CODES = (
    "| code | meaning |",
    "|---|---|",
    "| 0 | done; for `run` and `runs wait`: SUCCESS |",
    "| 1 | the workflow failed or was stopped |",
    "| 2 | the user's mistake |",
    "| 3 | a service cannot be reached |",
    "| 4 | `wait --timeout` ran out |",
    "| 130 | interrupted |",
)


def _fields(model: Mapping[str, Any]) -> Iterator[str]:
    yield "| field | type | default | meaning |"
    yield "|---|---|---|---|"
    required = set(model.get("required", ()))
    for name, one in model["properties"].items():
        default = "required" if name in required else _code(one.get("default"))
        yield f"| `{name}` | {_type(one)} | {default} | {_cell(one.get('description', ''))} |"


def _type(one: Mapping[str, Any]) -> str:
    if "$ref" in one:
        return str(one["$ref"]).rpartition("/")[2]
    if "enum" in one:
        return ", ".join(f"`{value}`" for value in one["enum"])
    if "const" in one:
        return f"`{one['const']}`"
    several = one.get("anyOf") or one.get("oneOf")
    if several:
        return " or ".join(dict.fromkeys(_type(each) for each in several if each.get("type") != "null"))
    if one.get("type") == "array":
        return f"list of {_type(one.get('items', {}))}"
    return str(one.get("type", "any"))


def _code(value: Any) -> str:
    return "" if value in (None, "") else f"`{json.dumps(value)}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _first_line(text: str) -> str:
    return _cell(text.strip().partition("\n\n")[0])


def _commands(
    command: click.Command, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path[-1])
        for name in command.list_commands(context):
            _, found, _ = command.resolve_command(context, [name])  # loads what `--help` need not load
            if found is not None and not found.hidden:
                yield from _commands(found, (*path, name))


def _options(command: click.Command) -> list[click.Option]:
    return [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
