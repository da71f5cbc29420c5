"""Exit codes and messages of the `orchestrator` program."""

import gc
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import rich_click as click

from orchestrator.cli.commands.definitions import CATALOGUE as DEFINITIONS
from orchestrator.cli.commands.definitions import definitions
from orchestrator.cli.commands.pools import CATALOGUE as POOLS
from orchestrator.cli.commands.pools import pools
from orchestrator.cli.commands.runs import CATALOGUE as RUNS
from orchestrator.cli.commands.runs import runs
from orchestrator.cli.lazy import Entry, LazyGroup
from orchestrator.cli.main import CATALOGUE, cli, code_of, exit_code
from orchestrator.errors import (
    BrokerUnavailable,
    Conflict,
    DefinitionError,
    Fault,
    IllegalTransition,
    OrchestratorError,
    StoreUnavailable,
)


def _leaves(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield path
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.resolve_command(context, [name])[1]
        if isinstance(command, click.Group):
            yield from _leaves(command, (*path, name))
        else:
            yield (*path, name)


@pytest.mark.parametrize("path", [path for path in _leaves(cli, ()) if path], ids=" ".join)
def test_every_command_has_help_with_an_example(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """`--help` of every command, groups included, shows how it is called."""
    code = exit_code([*path, "--help"])

    assert code == 0
    assert "Example: orchestrator " + path[0] in capsys.readouterr().out


def test_overview_names_every_command_that_people_use(capsys: pytest.CaptureFixture[str]) -> None:
    """`orchestrator --help` lists the catalogue, without what is there for the set-up only."""
    exit_code(["--help"])

    text = capsys.readouterr().out
    assert all(name in text for name, entry in CATALOGUE.items() if not entry.hidden)
    assert "supervise" not in text


LATE = """
import gc
import rich_click as click

command = click.RichCommand("late", help=f"collects: {gc.isenabled()}")
"""


@pytest.mark.parametrize("is_on", [True, False])
def test_garbage_collector_rests_while_a_command_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_on: bool
) -> None:
    """Imports make next to no garbage; afterwards the collector is what it was before."""
    module = f"late_{is_on}".lower()
    (tmp_path / f"{module}.py").write_text(LATE)
    monkeypatch.syspath_prepend(tmp_path)
    group = LazyGroup("group", entries={"late": Entry(target=f"{module}:command", summary="Late.")})
    before = gc.isenabled()
    _switch(is_on=is_on)

    try:
        command = group.resolve_command(click.Context(group), ["late"])[1]
        left = gc.isenabled()
    finally:
        _switch(is_on=before)
        sys.modules.pop(module, None)

    assert command is not None
    assert command.help == "collects: False"
    assert left is is_on


def _switch(*, is_on: bool) -> None:
    (gc.enable if is_on else gc.disable)()


@pytest.mark.parametrize(
    ("group", "name", "entry"),
    [
        (group, name, entry)
        for group, catalogue in ((runs, RUNS), (pools, POOLS), (definitions, DEFINITIONS))
        for name, entry in catalogue.items()
    ],
)
def test_overview_of_a_group_says_what_each_command_says_of_itself(
    group: LazyGroup, name: str, entry: Entry
) -> None:
    """The catalogue repeats the first line of a command's help, so that nothing need be loaded for it."""
    command = group.resolve_command(click.Context(group), [name])[1]

    assert command is not None
    assert entry.summary == (command.help or "").partition("\n")[0]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Conflict("not now"), 2),
        (DefinitionError([Fault(message="wrong", file="a.yaml", line=3)]), 2),
        (StoreUnavailable("away"), 3),
        (BrokerUnavailable("away"), 3),
        (IllegalTransition("bug"), 70),
    ],
)
def test_errors_become_the_exit_codes_of_the_contract(error: OrchestratorError, code: int) -> None:
    """2 is the user's mistake, 3 an unreachable service; a bug hides behind neither."""
    assert code_of(error) == code


def test_unknown_option_is_one_line_with_the_way_to_help(capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake of the command line ends 2, in plain text on standard error."""
    code = exit_code(["runs", "list", "--sate", "FAILURE"])

    captured = capsys.readouterr()
    assert code == 2
    assert captured.out == ""
    assert captured.err.startswith("error: No such option")
    assert "try 'orchestrator runs list --help'" in captured.err


def test_wrong_setting_ends_with_2_and_its_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Contradictions in the settings are named at the start of any command."""
    monkeypatch.setenv("ORCHESTRATOR_LEASE_SECONDS", "soon")

    code = exit_code(["config"])

    captured = capsys.readouterr()
    assert code == 2
    assert "ORCHESTRATOR_LEASE_SECONDS" in captured.err
    assert "Traceback" not in captured.err


def test_bug_is_confessed_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """An exception nobody expected gives a message and 70, never a traceback."""

    @click.command()
    def broken() -> None:
        raise RuntimeError("unforeseen")

    group = LazyGroup("orchestrator", entries={})
    group.add_command(broken)

    code = exit_code(["broken"], group)

    assert code == 70
    assert capsys.readouterr().err.count("\n") == 1


def test_interruption_ends_with_130(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C anywhere ends 130."""

    @click.command()
    def long() -> None:
        raise KeyboardInterrupt

    group = LazyGroup("orchestrator", entries={})
    group.add_command(long)

    assert exit_code(["long"], group) == 130
    assert capsys.readouterr().err.strip() == "interrupted"


def test_validate_names_every_fault_of_every_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All faults of all files come at once, each with its file and line; exit code 2."""
    for name in ("a", "b"):
        text = f"workflow: {{name: {name}}}\ntasks:\n  - {{name: one, type: shell, run: x, retrys: 1}}\n"
        (tmp_path / f"{name}.yaml").write_text(text)

    code = exit_code(["validate", str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")])

    error = capsys.readouterr().err
    assert code == 2
    assert "a.yaml:3" in error
    assert "b.yaml:3" in error


def test_validate_prints_faults_as_one_json_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An editor or a pipeline reads the place of each fault, and the exit code is 2 all the same."""
    file = tmp_path / "wrong.yaml"
    file.write_text(
        "workflow: {name: w}\ntasks:\n  - {name: one, type: noop, bundle: few}\n  - {type: noop, retrys: 1}\n"
    )

    assert exit_code(["validate", str(file), "--json"]) == 2

    told = capsys.readouterr()
    document = json.loads(told.out)
    assert told.err == ""
    assert {(fault["file"], fault["line"], fault["field"]) for fault in document["faults"]} == {
        (str(file), 4, "name"),
        (str(file), 4, "retrys"),
    }
    assert set(document["faults"][0]) == {"file", "line", "task", "field", "message"}


def test_schema_prints_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    """Editors read the JSON Schema from standard output."""
    assert exit_code(["schema"]) == 0

    assert json.loads(capsys.readouterr().out)["type"] == "object"
