"""Deploy, submit, look, control: the use cases on a real (SQLite) store, without a master."""

from datetime import datetime
from pathlib import Path

import pytest

from orchestrator.authoring.load import load_text
from orchestrator.config import load_settings
from orchestrator.core.command import CommandKind
from orchestrator.core.status import WorkflowState
from orchestrator.errors import (
    BrokerUnavailable,
    Conflict,
    DefinitionError,
    NotFound,
    SchemaMismatch,
    UserError,
)
from orchestrator.service import control, definitions, files, runs, schema, submission
from orchestrator.service.backend import Backend
from orchestrator.service.control import RULES, is_needed
from orchestrator.service.finding import find
from orchestrator.service.submission import SubmitOptions
from tests.unit.service.submitting import SMALL, end_run, small_definition, submit_small

LATER = """
workflow: {name: later}
tasks:
  - {name: report, type: noop, pool: p}
"""


def test_unchanged_definition_keeps_its_version(backend: Backend) -> None:
    """Deploying the same again makes no new version."""
    first = definitions.deploy(backend, [small_definition()], online=True)[0]

    again = definitions.deploy(backend, [small_definition()], online=True)[0]

    assert (first["version"], first["created"]) == (1, True)
    assert (again["version"], again["created"]) == (1, False)


def test_definition_of_later_cannot_go_online(backend: Backend) -> None:
    """What this version cannot run is stored, but neither goes online nor is deployed online."""
    later = load_text(LATER)

    with pytest.raises(DefinitionError, match="pool"):
        definitions.deploy(backend, later, online=True)
    definitions.deploy(backend, later, online=False)
    with pytest.raises(DefinitionError, match="pool"):
        definitions.set_online(backend, "later", online=True)


def test_endless_calls_are_refused_whoever_was_deployed_first(backend: Backend) -> None:
    """What is stored counts, too; nothing of it is stored then."""
    call = "workflow: {{name: {0}}}\ntasks: [{{name: s, type: sub_workflow, workflow: {1}}}]\n"
    for names in (("a", "b"), ("b", "c")):
        definitions.deploy(backend, load_text(call.format(*names)), online=True)

    with pytest.raises(DefinitionError, match="call each other without end"):
        definitions.deploy(backend, load_text(call.format("c", "a")), online=True)
    with pytest.raises(NotFound):
        find(backend, "c", None)


def test_endless_calls_through_what_is_stored_are_a_fault_with_its_place(
    backend: Backend, tmp_path: Path
) -> None:
    """The task that closes the circle, in the file that was just given."""
    call = "workflow: {{name: {0}}}\ntasks:\n  - {{name: s, type: sub_workflow, workflow: {1}}}\n"
    definitions.deploy(backend, load_text(call.format("a", "b")), online=True)
    file = tmp_path / "b.yaml"
    file.write_text(call.format("b", "a"))

    with pytest.raises(DefinitionError) as caught:
        definitions.deploy(backend, load_text(file.read_text()), online=True, files=[file])

    [fault] = caught.value.faults
    assert (fault.file, fault.line, fault.task, fault.field) == (str(file), 3, "s", "workflow")


def test_names_that_nobody_knows_are_all_told_at_once(backend: Backend) -> None:
    """The target of alerts, the environment and the pool, not one per try."""
    unknown = load_text(
        "workflow: {name: w, environment: nowhere, alerts: [{webhook: nobody, events: [workflow_failure]}]}\n"
        "tasks: [{name: a, type: noop, pool: nothing}]\n"
    )

    with pytest.raises(DefinitionError) as caught:
        definitions.deploy(backend, unknown, online=True)

    assert [fault.field for fault in caught.value.faults] == ["alerts", "environment", "pool"]


def test_unknown_workflow_is_refused_with_the_nearest_name(backend: Backend) -> None:
    """A slip of the pen is answered with what was meant."""
    definitions.deploy(backend, [small_definition()], online=True)

    with pytest.raises(NotFound, match="'small'"):
        find(backend, "smal", None)


def test_offline_workflow_is_not_started(backend: Backend) -> None:
    """Offline means: no new runs."""
    definitions.deploy(backend, [small_definition()], online=False)

    with pytest.raises(Conflict, match="offline"):
        submission.submit_texts(backend, "small", (), SubmitOptions())


def test_same_idempotency_key_gives_the_same_run(backend: Backend) -> None:
    """A repeated request is answered, not carried out; another one under the same key is a conflict."""
    definitions.deploy(backend, [small_definition()], online=True)
    options = SubmitOptions(idempotency_key="k")

    first = submission.submit_texts(backend, "small", ["region=us"], options)
    again = submission.submit_texts(backend, "small", ["region=us"], options)

    assert first["created"]
    assert again == {**first, "created": False}
    with pytest.raises(Conflict):
        submission.submit_texts(backend, "small", ["region=eu"], options)


def test_submitted_run_can_be_shown_and_listed(backend: Backend) -> None:
    """The document is there at once, in state SUBMITTED."""
    number = submit_small(backend)

    assert runs.show(backend, number)["state"] == "SUBMITTED"
    assert [run["id"] for run in runs.list_runs(backend, state=None, workflow="small", limit=5)] == [number]
    assert runs.list_runs(backend, state="SUCCESS", workflow=None, limit=5) == []


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("2026-11-01", "2026-11-01T04:00:00Z"),
        ("2026-11-01T01:30", "2026-11-01T05:30:00Z"),
        ("2026-11-02T00:00", "2026-11-02T05:00:00Z"),
        ("2026-11-01T00:00+00:00", "2026-11-01T00:00:00Z"),
    ],
)
def test_planned_time_without_an_offset_is_one_of_the_workflows_zone(
    backend: Backend, written: str, stored: str
) -> None:
    """As in the range of a backfill: `$[yyyy-MM-dd]` is the day that was asked for."""
    text = SMALL.replace("{name: small,", "{name: small, timezone: America/New_York,")
    definitions.deploy(backend, load_text(text), online=True)
    options = SubmitOptions(planned_time=datetime.fromisoformat(written))

    submitted = submission.submit_texts(backend, "small", (), options)

    assert runs.show(backend, submitted["workflow_instance_id"])["planned_time"] == stored


def test_planned_time_before_the_calendar_is_refused(backend: Backend) -> None:
    """In Tokyo the first hours of year 1 belong to no year in UTC."""
    text = SMALL.replace("{name: small,", "{name: small, timezone: Asia/Tokyo,")
    definitions.deploy(backend, load_text(text), online=True)

    with pytest.raises(UserError, match="the calendar has no such time in UTC"):
        submission.submit_texts(backend, "small", (), SubmitOptions(planned_time=datetime(1, 1, 1)))  # noqa: DTZ001  in the zone


def test_start_node_must_be_a_task() -> None:
    """A start node that is no task is refused with the nearest one."""
    with pytest.raises(UserError, match="'two'"):
        files.check_start_nodes(small_definition(), ("tow",))


FED = """
workflow: {name: fed, params: {region: eu}}
tasks:
  - {name: extract, type: shell, run: "true", outputs: {rows: integer}}
  - {name: load, type: shell, run: "true", needs: [extract], params: {FIELD}}
  - {name: report, type: shell, run: "true", needs: [load], params: {where: "${region}"}}
"""


@pytest.mark.parametrize("value", ["${extract.rows}", "${rows}"])
def test_start_node_that_needs_an_output_from_before_is_refused(value: str) -> None:
    """Its parameters could never have a value; with the tasks before it, it may start."""
    definition = load_text(FED.replace("FIELD", f'n: "{value}"'))[0]

    with pytest.raises(UserError, match=r"task 'load'.*not part of this run.*a run from load"):
        files.check_start_nodes(definition, ("load",))
    files.check_start_nodes(definition, ("load",), "upstream")
    files.check_start_nodes(definition, ("report",))
    files.check_start_nodes(definition, ())


@pytest.mark.parametrize("kind", list(RULES))
@pytest.mark.parametrize("state", list(WorkflowState))
def test_command_fits_exactly_the_states_of_its_rule(kind: CommandKind, state: WorkflowState) -> None:
    """Accepted: something is to be done; repeated: nothing; anything else: refused with the state."""
    rule = RULES[kind]

    if state in rule.accepted | rule.repeated:
        assert is_needed(kind, 7, state) == (state in rule.accepted)
    else:
        with pytest.raises(Conflict, match=f"run 7 is {state}"):
            is_needed(kind, 7, state)


def test_command_becomes_a_row_once(backend: Backend) -> None:
    """The master reads the row; a command that was carried out already makes no second one."""
    number = submit_small(backend)

    sent = control.control(backend, CommandKind.STOP, [number])[0]
    end_run(backend, number, "STOPPED")
    again = control.control(backend, CommandKind.STOP, [number])[0]

    assert (sent["sent"], again["sent"]) == (True, False)
    kinds = [command.kind for command in backend.commands.pending(range(64), 10)]
    assert kinds == [CommandKind.START, CommandKind.STOP]


def test_nothing_is_asked_if_one_of_several_does_not_fit(backend: Backend) -> None:
    """All runs of a command are checked first."""
    going, ended = submit_small(backend), submit_small(backend)
    end_run(backend, ended, "SUCCESS")

    with pytest.raises(Conflict):
        control.control(backend, CommandKind.STOP, [going, ended])

    assert {command.kind for command in backend.commands.pending(range(64), 10)} == {CommandKind.START}


def test_waiting_ends_with_the_last_run(backend: Backend) -> None:
    """The documents come in the order asked for."""
    first, second = submit_small(backend), submit_small(backend)
    left = [second, first]

    def pause(_seconds: float) -> None:
        end_run(backend, left.pop(), "SUCCESS")

    clockwork = runs.Clockwork(clock=lambda: 0.0, pause=pause)
    documents = runs.wait(backend, [second, first], None, clockwork)

    assert [document["id"] for document in documents] == [second, first]
    assert all(runs.has_succeeded(document) for document in documents)


def test_waiting_ends_when_the_time_is_over(backend: Backend) -> None:
    """A run that goes on is returned as it is; PAUSED is not an end."""
    number = submit_small(backend)
    end_run(backend, number, "PAUSED")
    ticks = iter([0.0, 0.1, 99.0])

    clockwork = runs.Clockwork(clock=lambda: next(ticks), pause=lambda _: None)
    documents = runs.wait(backend, [number], 1.0, clockwork)

    assert documents[0]["state"] == "PAUSED"


def test_unknown_run_is_not_waited_for(backend: Backend) -> None:
    """Waiting for ever for a run that does not exist helps nobody."""
    with pytest.raises(NotFound):
        runs.wait(backend, [99], None, runs.Clockwork(clock=lambda: 0.0, pause=lambda _: None))


def test_all_files_are_read_before_any_fault_is_told(tmp_path: Path) -> None:
    """Faults of several files, and a name that two of them use, come at once."""
    (tmp_path / "a.yaml").write_text(SMALL)
    (tmp_path / "b.yaml").write_text(SMALL)
    (tmp_path / "c.yaml").write_text("workflow: {name: c}\n")

    with pytest.raises(DefinitionError) as refused:
        files.read_files([tmp_path / "a.yaml", tmp_path / "b.yaml", tmp_path / "c.yaml"])

    assert "c.yaml" in str(refused.value)
    assert (
        f"b.yaml: field 'name': two workflows are called 'small', the other one in {tmp_path / 'a.yaml'}"
        in str(refused.value)
    )


def test_set_up_must_serve_every_group_of_the_tasks(backend: Backend) -> None:
    """The wish names the groups of all tasks and the directory of the file."""
    definition = load_text(
        SMALL.replace("{name: two,", "{name: two, worker_group: gpu,"), source_dir="/flows"
    )[0]

    wish = files.wish_for(backend.settings, [definition])

    assert wish == {"groups": ["default", "gpu"], "source_dir": "/flows"}


def test_command_without_redis_says_what_to_start(backend: Backend) -> None:
    """Without a Redis, what needs one is unreachable, with the way out; waking is left out."""
    backend.wake(1)

    with pytest.raises(BrokerUnavailable, match="orchestrator up"):
        _ = backend.redis


def test_schema_that_somebody_is_making_is_waited_for(tmp_path: Path) -> None:
    """`up` in a fresh home brings the schema up to date; a command beside it does not ask for that."""
    settings = load_settings({"ORCHESTRATOR_HOME": str(tmp_path)})
    looks: list[str | None] = []

    def wait_for_schema() -> bool:
        looks.append(schema.current(settings))
        schema.upgrade(settings)
        return True

    backend = Backend(settings, wait_for_schema)

    assert backend.queries.definitions() == []
    assert looks == [None]
    backend.close()


def test_schema_that_nobody_is_making_is_refused_with_the_command(tmp_path: Path) -> None:
    """And with who would do it."""
    backend = Backend(load_settings({"ORCHESTRATOR_HOME": str(tmp_path)}))

    with pytest.raises(SchemaMismatch, match=r"orchestrator db upgrade .*if one is starting, try again"):
        _ = backend.queries
