"""What single commands say, besides what they do."""

import json
from pathlib import Path

import fakeredis
import pytest

from orchestrator.broker.keys import Keys
from orchestrator.broker.masters import MasterBoard
from orchestrator.cli.main import exit_code
from orchestrator.config import load_settings
from orchestrator.service import definitions
from orchestrator.service.attendance import why_nothing_happens
from orchestrator.service.backend import Backend
from orchestrator.store.leases import SlotLeases
from tests.unit.service.submitting import SMALL, end_run, small_definition, submit_small

NO_MASTER = "no master is running"


@pytest.fixture
def home(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a home whose commands use the test's database, and no Redis."""
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(backend.settings.home))
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", backend.settings.database)
    monkeypatch.delenv("ORCHESTRATOR_REDIS_URL", raising=False)
    return backend.settings.home


@pytest.mark.usefixtures("home")
def test_who_asks_for_something_hears_that_nobody_will_do_it(
    backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a master `submit`, `pause` and `show` do their part, and one line says what is missing."""
    number = str(submit_small(backend))
    for command in (["submit", "small"], ["runs", "pause", number], ["runs", "show", number]):
        assert exit_code(command) == 0

        told = capsys.readouterr()
        assert told.err.count(NO_MASTER) == 1
        assert "orchestrator up" in told.err
        assert NO_MASTER not in told.out


@pytest.mark.usefixtures("home")
def test_nothing_is_missing_where_nothing_is_to_be_done(
    backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that has ended needs no master; a program that reads JSON is told nothing beside it."""
    number = submit_small(backend)
    exit_code(["runs", "pause", str(number), "--json"])
    end_run(backend, number, "SUCCESS")
    exit_code(["runs", "show", str(number)])

    assert NO_MASTER not in capsys.readouterr().err


def test_living_master_is_seen_and_a_silent_one_is_not(backend: Backend) -> None:
    """A master that has shown itself just now will do it; one that has been silent too long will not."""
    redis = fakeredis.FakeRedis()
    settings = load_settings(
        {
            "ORCHESTRATOR_HOME": str(backend.settings.home),
            "ORCHESTRATOR_REDIS_URL": "redis://127.0.0.1:1",
        }
    )
    asking = Backend(settings)
    vars(asking)["redis"] = redis
    assert why_nothing_happens(asking) is not None
    keys = Keys(settings.key_prefix)
    MasterBoard(redis, keys).publish("m1", {"name": "m1"})

    assert why_nothing_happens(asking) is None

    redis.expire(keys.master("m1"), 30)
    assert NO_MASTER in str(why_nothing_happens(asking))


def test_redis_that_does_not_answer_is_named_instead(tmp_path: Path) -> None:
    """What is missing is then not a master."""
    settings = load_settings(
        {"ORCHESTRATOR_HOME": str(tmp_path), "ORCHESTRATOR_REDIS_URL": f"unix://{tmp_path}/nobody.sock"}
    )

    assert "ORCHESTRATOR_REDIS_URL" in str(why_nothing_happens(Backend(settings)))


@pytest.mark.parametrize("depends", ["only", "upstream", "downstream"])
def test_depends_without_a_start_node_is_refused(
    depends: str, home: Path, backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what runs besides the start nodes: without one it would be ignored. Nothing is deployed before."""
    file = home.parent / "small.yaml"
    file.write_text(SMALL)

    assert exit_code(["submit", str(file), "--depends", depends]) == 2
    assert f"error: --depends {depends}: says what runs besides the start nodes" in capsys.readouterr().err
    assert not backend.definitions.list()
    assert exit_code(["submit", str(file), "--depends", depends, "--start-node", "two"]) == 0


@pytest.mark.usefixtures("home")
def test_way_down_under_a_living_master_ends_with_2(
    backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would take the tables away from it; --force overrides."""
    SlotLeases(backend.engine).acquire("m1", 60.0)

    assert exit_code(["db", "downgrade", "--yes"]) == 2
    assert "error: the database is in use by master 'm1'; stop it first" in capsys.readouterr().err
    assert exit_code(["db", "downgrade", "--yes", "--force"]) == 0
    assert exit_code(["db", "upgrade"]) == 0


@pytest.mark.usefixtures("home")
def test_key_of_another_workflow_is_refused_with_its_run(
    backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key stands for one request: the message names the key, the other workflow and its run."""
    definitions.deploy(backend, [small_definition(), small_definition("other")], online=True)
    exit_code(["submit", "other", "--idempotency-key", "day-1", "--json"])
    number = json.loads(capsys.readouterr().out)["workflow_instance_id"]

    assert exit_code(["submit", "small", "--idempotency-key", "day-1"]) == 2
    assert capsys.readouterr().err == (
        f"error: the idempotency key 'day-1' belongs to run {number} of workflow 'other'; give this run of 'small'"
        " another one\n"
    )


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("target", ["missing.yaml", "flows/missing"])
def test_file_that_is_not_there_is_called_a_file(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`submit` takes names and files: what can only be a file is not looked up as a name."""
    assert exit_code(["submit", target]) == 2
    assert f"{target}: there is no such file" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["up"]], ids=" ".join)
def test_named_redis_that_does_not_answer_ends_with_3_at_once(
    command: list[str], home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is started that could only wait for it."""
    monkeypatch.setenv("ORCHESTRATOR_REDIS_URL", f"unix://{home}/nobody.sock")

    assert exit_code(command) == 3
    assert "error: Redis" in capsys.readouterr().err


def test_word_that_is_no_run_is_refused_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    """The message says what an id is and where ids stand."""
    assert exit_code(["runs", "stop", "abc"]) == 2
    assert "'abc' is no run's id, which is a number; see orchestrator runs list" in capsys.readouterr().err


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    "number", ["0", str(2**63), "9" * 20, "9" * 5000], ids=["none", "one more", "20 digits", "5000 digits"]
)
def test_number_that_no_database_counts_to_is_no_run(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It is refused as any other wrong id, however long it is, before a database or Python stumbles over it."""
    assert exit_code(["runs", "show", number]) == 2
    assert (
        f"'{number}' is no run's id, which is a number; see orchestrator runs list" in capsys.readouterr().err
    )


@pytest.mark.usefixtures("home")
def test_largest_number_of_the_database_is_looked_up(capsys: pytest.CaptureFixture[str]) -> None:
    """It may be a run's id; here there is none of it."""
    assert exit_code(["runs", "show", str(2**63 - 1)]) == 2
    assert "is no run's id" not in capsys.readouterr().err


def test_help_shows_no_control_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """What formats a help text is not shown to people."""
    exit_code(["--help"])

    shown = capsys.readouterr().out
    assert "\\b" not in shown
    assert "Example: orchestrator run" in shown


@pytest.mark.parametrize("command", [["doctor"], ["runs", "list"], ["run", "FILE"], ["up"]], ids=" ".join)
@pytest.mark.parametrize("place", ["file", "file/below"])
def test_home_that_is_a_file_is_one_line_and_ends_with_2(
    command: list[str],
    place: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever the command: nothing is started, and the variable is named."""
    (tmp_path / "file").write_text("")
    workflow = tmp_path / "flow.yaml"
    workflow.write_text("workflow: {name: w}\ntasks: [{name: t, type: noop}]\n")
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(tmp_path / place))

    assert exit_code([str(workflow) if word == "FILE" else word for word in command]) == 2
    told = capsys.readouterr().err.splitlines()
    assert [line for line in told if line.startswith("error: ORCHESTRATOR_HOME: ")] == told


def test_database_file_that_is_none_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line and exit code 2, not a fault of this program; the doctor says the same."""
    (tmp_path / "orchestrator.db").write_text("this is a letter to my bank, and it is long enough\n" * 20)
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(tmp_path))
    told = f"the database file {tmp_path}/orchestrator.db is no SQLite database; move it away"

    assert exit_code(["runs", "list"]) == 2
    assert capsys.readouterr().err.startswith(f"error: {told}")
    exit_code(["doctor"])
    assert f"database: {told}" in capsys.readouterr().out


def test_database_whose_directory_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The directory, the system's reason, the variables."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(tmp_path))
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", f"sqlite:///{tmp_path}/file/orchestrator.db")

    assert exit_code(["runs", "list"]) == 2
    assert f"the database's directory '{tmp_path}/file' cannot be made" in capsys.readouterr().err


def test_broker_that_celery_cannot_speak_to_ends_with_2_before_anything_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its name is wrong: not even a home is made."""
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ORCHESTRATOR_BROKER_URL", "ampq://me:secret@h//")

    assert exit_code(["up"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ORCHESTRATOR_BROKER_URL: 'ampq://me:******@h//' is of no kind")
    assert not (tmp_path / "home").exists()


def test_doctor_names_a_broker_that_celery_cannot_speak_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The port may be open: that says nothing."""
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(tmp_path))
    monkeypatch.setenv("ORCHESTRATOR_BROKER_URL", "ampq://h//")

    exit_code(["doctor"])
    assert "broker: ORCHESTRATOR_BROKER_URL: 'ampq://h//' is of no kind" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--name", "my worker", "'my worker' cannot be a worker's name"),
        ("--name", "w%x", "'w%x' cannot be a worker's name"),
        ("--group", "gpu,cpu", "'gpu,cpu' cannot be a worker group"),
    ],
)
def test_names_that_nobody_can_carry_are_refused(
    option: str, value: str, told: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before Celery sees them, which would end in a traceback or take them for two."""
    assert exit_code(["worker", option, value]) == 2
    assert told in capsys.readouterr().err
    assert not (home / "spools").exists()
