"""What surrounds a script: variables, outputs, logs, the watcher's frame."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.worker import watcher
from orchestrator.worker.executors.environment import as_text, base_environment, script_environment
from orchestrator.worker.executors.port import TaskFailure
from orchestrator.worker.logs import AttemptLog, attempt_log_path, index_path, read_log
from orchestrator.worker.outputs import checked, from_result, from_texts, parse_file, parse_set_value
from tests.unit.worker.twins import make_order

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
NAMES = st.text(st.characters(exclude_characters="\0=", exclude_categories=["Cs"]), min_size=1, max_size=9)


def environment_of(**fields: Any) -> dict[str, str]:
    """Return the environment of a script without a base."""
    return script_environment(make_order(**fields), {}, Path("/out"), None)


def test_parameters_become_variables() -> None:
    """Text as it is, lists and maps as JSON, true and false, nothing for null."""
    values = {"a": "x y", "b": [1, {"c": None}], "d": True, "e": 1.5, "f": None}

    environment = environment_of(parameters=values)

    assert [environment[name] for name in values] == ["x y", '[1, {"c": null}]', "true", "1.5", ""]


@pytest.mark.parametrize(
    "name", ["PATH", "LD_PRELOAD", "BASH_ENV", "IFS", "PYTHONPATH", "ORCHESTRATOR_OUTPUT", "two words", "1a"]
)
def test_dangerous_names_are_refused(name: str) -> None:
    """A parameter that would change how programs are found or run fails its task, by name."""
    with pytest.raises(TaskFailure, match=name):
        environment_of(params={name: "x"})


def test_outputs_that_no_shell_could_name_are_left_out() -> None:
    """An upstream's output `row-count` must not fail every shell task behind it."""
    assert "row-count" not in environment_of(parameters={"row-count": 1})


def test_values_that_no_environment_can_hold_are_refused() -> None:
    """NUL characters and more than 120 KiB fail the task with a clear reason."""
    with pytest.raises(TaskFailure, match="NUL"):
        environment_of(params={"a": "x\0y"})
    with pytest.raises(TaskFailure, match="inputs too large"):
        environment_of(params={"a": "x" * (120 * 1024 + 1)})


def test_scripts_know_which_attempt_they_are() -> None:
    """The `ORCHESTRATOR_*` variables of INTERFACE section 7."""
    environment = environment_of(attempt=2, dispatch=3, run_count=4, idempotency_key="k")

    assert {name: value for name, value in environment.items() if name.startswith("ORCHESTRATOR_")} == {
        "ORCHESTRATOR_WORKFLOW_INSTANCE_ID": "1", "ORCHESTRATOR_TASK": "one", "ORCHESTRATOR_ATTEMPT": "2",
        "ORCHESTRATOR_DISPATCH": "3", "ORCHESTRATOR_RUN_COUNT": "4", "ORCHESTRATOR_IDEMPOTENCY_KEY": "k",
        "ORCHESTRATOR_OUTPUT": "/out",
    }  # fmt: skip


def test_settings_are_not_inherited_by_scripts() -> None:
    """Database and Redis URLs hold passwords."""
    inherited = {"ORCHESTRATOR_REDIS_URL": "redis://:secret@h", "ORCHESTRATOR_HOME": "/h", "LANG": "C"}

    assert base_environment(inherited) == {"ORCHESTRATOR_HOME": "/h", "LANG": "C"}


def test_text_of_floats_is_json() -> None:
    """A shell sees numbers as JSON writes them."""
    assert (as_text(3), as_text(0.1)) == ("3", "0.1")


def test_output_file_has_lines_and_blocks() -> None:
    """`name=value` lines and `name<<END` blocks; later ones win."""
    assert parse_file("a=1\r\n\nb<<END\nx=1\n\ny\nEND\na=2=3\n") == {"a": "2=3", "b": "x=1\n\ny"}


@pytest.mark.parametrize("text", ["no sign", "a b=1", "x<<END\nnever closed", "x<<\n"])
def test_malformed_output_file_fails_the_task(text: str) -> None:
    """What cannot be read is a clear failure, not silently lost."""
    with pytest.raises(TaskFailure):
        parse_file(text)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("${setValue(a=b)}", ("a", "b")),
        ("  #{setValue(rows=4=2)} ", ("rows", "4=2")),
        ("x ${setValue(a=b)}", None),
        ("${setValue(a)}", None),
    ],
)
def test_set_value_lines(line: str, found: tuple[str, str] | None) -> None:
    """Both spellings of DolphinScheduler are understood, alone on their line."""
    assert parse_set_value(line) == found


def test_texts_are_typed_as_declared_or_as_they_read() -> None:
    """`007` stays text; declared types are converted."""
    texts = {"a": "007", "b": "7", "c": "true", "d": "7", "e": "[1]", "f": "[1]"}

    outputs = from_texts(texts, {"d": "string", "e": "list"})

    assert outputs == {"a": "007", "b": 7, "c": True, "d": "7", "e": [1], "f": "[1]"}


@pytest.mark.parametrize(
    ("texts", "declared", "match"),
    [
        ({"n": "x"}, {"n": "integer"}, "output 'n': expected an integer"),
        ({}, {"n": "integer"}, "declared output 'n' was not set"),
        ({"n": "x" * 70_000}, {}, "outputs too large"),
    ],
)
def test_unfit_outputs_fail_the_task(texts: dict[str, str], declared: dict[str, str], match: str) -> None:
    """The reason names the output."""
    with pytest.raises(TaskFailure, match=match):
        from_texts(texts, declared)


@pytest.mark.parametrize(
    ("result", "outputs"),
    [(None, {}), ({"a": (1, 2)}, {"a": [1, 2]}), (3, {"result": 3}), ([], {"result": []})],
)
def test_python_results_become_outputs(result: object, outputs: dict[str, object]) -> None:
    """A mapping's items, nothing for None, else `result`."""
    assert from_result(result, {}) == outputs


@pytest.mark.parametrize("declared", ["integer", None])
def test_integer_beyond_64_bits_is_named_with_its_output(declared: str | None) -> None:
    """Whether it was declared or not, whether a function returned it or a script wrote it as declared."""
    types = {"rows": declared} if declared else {}

    with pytest.raises(TaskFailure, match=r"output 'rows'.*(between -9223372036854775808|64 bits)"):
        from_result({"rows": 2**63}, types)
    with pytest.raises(TaskFailure, match=r"output 'rows': expected an integer between -9223372036854775808"):
        from_texts({"rows": "9" * 5000}, {"rows": "integer"})


@pytest.mark.parametrize("value", [object(), float("nan"), 2**70, {1, 2}, b"x"])
def test_results_that_are_not_json_fail_the_task(value: object) -> None:
    """The reason says that it cannot be written as JSON."""
    with pytest.raises(TaskFailure, match="cannot be written as JSON"):
        checked({"a": value}, {})


def test_log_lines_have_time_and_stream(tmp_path: Path) -> None:
    """The file is as written; the index gives each line its time and stream, also across pieces."""
    times = iter([1.0, 2.0, 3.0, 4.0])
    path = attempt_log_path(tmp_path, 1, "load[0]", 2)
    log = AttemptLog(path, clock=lambda: next(times))
    log.append("stdout", b"hel")
    log.append("stderr", b"oops\n")
    log.append("stdout", b"lo\nsecond\n")
    log.append("stdout", b"no end")
    log.close()

    assert path.read_bytes() == b"heloops\nlo\nsecond\nno end"
    lines = [(one.stream, one.text, one.at.timestamp() if one.at else None) for one in read_log(path)]
    assert lines == [
        ("stderr", "oops", 2.0), ("stdout", "hello", 1.0), ("stdout", "second", 3.0),
        ("stdout", "no end", 4.0),
    ]  # fmt: skip


def test_log_without_its_index_is_still_read(tmp_path: Path) -> None:
    """A crash or a full disk between both files loses times, never text."""
    log = AttemptLog(tmp_path / "a.log")
    log.append("stdout", b"a\nb\n")
    log.close()
    index_path(tmp_path / "a.log").write_bytes(b'[0, 2, 1.0, "stdout"]\n[2, 2, ')

    assert [(one.text, one.at is None) for one in read_log(tmp_path / "a.log")] == [("a", False), ("b", True)]


def test_attempt_without_output_has_no_log(tmp_path: Path) -> None:
    """Nothing is created until something is written."""
    AttemptLog(tmp_path / "a.log").close()

    assert list(read_log(tmp_path / "a.log")) == []
    assert list(tmp_path.iterdir()) == []


def test_task_names_cannot_leave_the_log_directory(tmp_path: Path) -> None:
    """A name with slashes becomes one file name."""
    assert attempt_log_path(tmp_path, 1, "../../x", 1).parent == tmp_path / "1"


def test_unwritable_log_loses_output_not_the_attempt(tmp_path: Path) -> None:
    """What could not be written is counted."""
    (tmp_path / "file").write_text("")
    log = AttemptLog(tmp_path / "file" / "a.log")
    log.append("stdout", b"12345")

    assert log.lost == 5


@given(argv=st.lists(TEXT, min_size=1), directory=TEXT, environment=st.dictionaries(NAMES, TEXT))
def test_watcher_reads_the_frame_that_was_written(
    argv: list[str], directory: str, environment: dict[str, str]
) -> None:
    """What the worker asks for is what the watcher starts, whatever the texts are."""
    frame = watcher.frame(argv, directory, environment)
    body = frame[watcher.HEADER :]

    assert int.from_bytes(frame[: watcher.HEADER], "big") == len(body)
    assert watcher.parse(body) == (argv, directory, environment)
