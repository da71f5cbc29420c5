"""The command writes all files or none, and tells people and programs what it found."""

import json
from pathlib import Path

import pytest

from orchestrator.authoring.load import load_file
from orchestrator.cli.main import exit_code
from tests.unit.importing.builders import export, sdk_text, shell, task

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples" / "dolphinscheduler"
GOOD = sdk_text("- {name: a, task_type: Shell, command: echo a}\n", name="good", tenant="t")
BAD = sdk_text("- {name: a, task_type: Spark}\n", name="bad")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a working directory with a file that can be imported and one that cannot."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nightly.yaml").write_text(GOOD)
    (tmp_path / "spark.yaml").write_text(BAD)
    (tmp_path / "export.json").write_text(json.dumps([export([shell(1)])]))
    return tmp_path


def run(*arguments: str) -> int:
    """Run the command."""
    return exit_code(["import", "dolphinscheduler", *arguments])


def test_files_are_written_and_load(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One file per workflow, named like it; notes go to standard error."""
    assert run("nightly.yaml", "export.json", "--output", "flows") == 0

    assert [one.name for path in ("good", "flow") for one in load_file(folder / "flows" / f"{path}.yaml")] == [
        "good", "flow",
    ]  # fmt: skip
    told = capsys.readouterr()
    assert told.out == (
        "nightly.yaml: good, 1 task -> flows/good.yaml\nexport.json: flow, 1 task -> flows/flow.yaml\n"
    )
    assert "note: nightly.yaml:2: workflow 'good', field 'tenant': has no equivalent" in told.err
    assert sorted(one.name for one in (folder / "flows").iterdir()) == ["flow.yaml", "good.yaml"]


def test_gap_in_one_file_leaves_nothing_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What can't be converted ends 2 with its place, also for the files beside it."""
    assert run("nightly.yaml", "spark.yaml", "--output", "flows") == 2

    told = capsys.readouterr()
    assert (
        "error: spark.yaml:4: workflow 'bad', task 'a', field 'taskType': SPARK has no equivalent" in told.err
    )
    assert "nothing was written" in told.err
    assert told.out == ""
    assert not (folder / "flows").exists()


def test_file_that_exists_is_kept_unless_forced(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --force nothing is replaced, and then nothing at all is written."""
    (folder / "good.yaml").write_text("mine")
    assert run("nightly.yaml", "export.json") == 2
    assert "good.yaml: exists; --force replaces it" in capsys.readouterr().err
    assert not (folder / "flow.yaml").exists()

    assert run("nightly.yaml", "export.json", "--force") == 0
    assert load_file(folder / "good.yaml")


def test_source_is_never_replaced(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A workflow that is called like its own file would overwrite it."""
    (folder / "good.yaml").write_text(GOOD)

    assert run("good.yaml", "--force") == 2
    assert "is what is imported" in capsys.readouterr().err
    assert (folder / "good.yaml").read_text() == GOOD


@pytest.mark.usefixtures("folder")
def test_output_can_be_printed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """`--output -` prints the documents, which load as one file."""
    assert run("nightly.yaml", "export.json", "--output", "-") == 0

    (tmp_path / "all.yaml").write_text(capsys.readouterr().out)
    assert [one.name for one in load_file(tmp_path / "all.yaml")] == ["good", "flow"]


@pytest.mark.usefixtures("folder")
def test_report_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` prints one document with files, notes and gaps, in success and in failure."""
    assert run("nightly.yaml", "--output", "out", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["workflows"] == [
        {"name": "good", "source": "nightly.yaml", "tasks": 1, "file": "out/good.yaml"},
    ]
    assert report["notes"][0] == {
        "file": "nightly.yaml", "line": 2, "workflow": "good", "task": None, "field": "tenant",
        "message": "has no equivalent: tasks run as the user of their worker",
    }  # fmt: skip
    assert report["gaps"] == []

    assert run("spark.yaml", "--json") == 2
    report = json.loads(capsys.readouterr().out)
    assert (report["workflows"], report["gaps"][0]["task"]) == ([], "a")


def test_document_is_the_output_where_no_directory_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program that asks for JSON finds no files where it happens to stand; the text is in the document."""
    before = sorted(folder.iterdir())

    assert run("nightly.yaml", "--json") == 0

    (only,) = json.loads(capsys.readouterr().out)["workflows"]
    assert only["file"] is None
    assert "name: good" in only["text"]
    assert sorted(folder.iterdir()) == before


def test_workflow_that_no_file_holds_can_be_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message of the gap names the option that closes it."""
    parent = export([task(1, "SUB_PROCESS", processDefinitionCode=7)])
    (folder / "parent.json").write_text(json.dumps([parent]))

    assert run("parent.json") == 2
    assert "--workflow 7=NAME" in capsys.readouterr().err
    assert run("parent.json", "--workflow", "7=kid") == 0
    assert run("parent.json", "--workflow", "kid") == 2


def test_directory_that_cannot_be_made_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file in the way of the output directory is the user's to remove."""
    (folder / "taken").write_text("")

    assert run("nightly.yaml", "--output", "taken/flows") == 2
    assert "error: " in (told := capsys.readouterr().err)
    assert "cannot be written" in told


def test_examples_come_in_without_a_gap(tmp_path: Path) -> None:
    """Every example of the other system is one that the import takes."""
    examples = sorted(str(one) for one in EXAMPLES.iterdir())

    assert run(*examples, "--output", str(tmp_path)) == 0
    assert len(list(tmp_path.iterdir())) == len(examples)


def test_page_shows_what_the_import_writes(capsys: pytest.CaptureFixture[str]) -> None:
    """The file on the page about migration is that of its command."""
    page = (ROOT / "docs" / "migrating-from-dolphinscheduler.md").read_text(encoding="utf-8")
    assert run(str(EXAMPLES / "clean_up.json"), "--output", "-") == 0

    assert f"```yaml\n{capsys.readouterr().out}```" in page
