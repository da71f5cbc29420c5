"""Values and columns: one name each, times with a zone, texts that a database can hold."""

import dataclasses
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import MappingProxyType

import pytest
from sqlalchemy.dialects import postgresql, sqlite

import orchestrator
from orchestrator.core.command import Command
from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.status import WORKFLOW_FINAL, WorkflowState
from orchestrator.errors import UserError
from orchestrator.store import migrate
from orchestrator.store.columns import UtcDateTime
from orchestrator.store.schema import UNFINISHED, command, task_instance, workflow_instance
from orchestrator.store.session import to_json
from orchestrator.store.storable import check_storable

PARIS = timezone(timedelta(hours=1))
POSTGRES = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy has no annotation here
SQLITE = sqlite.dialect()


def fields_of(value: type) -> list[str]:
    """Return the names of a dataclass's fields."""
    return [one.name for one in dataclasses.fields(value)]


def test_columns_mirror_the_values_of_the_core() -> None:
    """A field without a column would be lost, a column without a field would stay empty."""
    extra = ["revision", "epoch", "idempotency_key", "request_hash"]

    assert list(task_instance.columns.keys()) == fields_of(TaskInstance)
    assert list(workflow_instance.columns.keys()) == [*fields_of(Head), *extra]
    assert list(command.columns.keys()) == fields_of(Command)


def test_unfinished_names_every_final_state() -> None:
    """The literal in the partial index is what the core calls final."""
    named = {state for state in WorkflowState if f"'{state}'" in UNFINISHED.text}

    assert named == WORKFLOW_FINAL


def test_times_are_stored_in_utc_whatever_zone_they_come_in() -> None:
    """SQLite keeps the naive UTC time, PostgreSQL the instant."""
    column, noon = UtcDateTime(), datetime(2026, 11, 1, 12, tzinfo=PARIS)

    assert column.process_bind_param(noon, SQLITE) == datetime(2026, 11, 1, 11)  # noqa: DTZ001  what SQLite keeps
    assert column.process_bind_param(noon, POSTGRES) == noon
    assert column.process_bind_param(None, SQLITE) is None


def test_times_are_read_as_aware_utc() -> None:
    """Whatever the session's zone is."""
    column, noon = UtcDateTime(), datetime(2026, 11, 1, 12, tzinfo=PARIS)

    for read in (
        column.process_result_value(datetime(2026, 11, 1, 11), SQLITE),  # noqa: DTZ001  what SQLite keeps
        column.process_result_value(noon, POSTGRES),
    ):
        assert read == noon
        assert read is not None
        assert read.tzinfo is UTC


def test_naive_time_is_refused() -> None:
    """Nobody could say which moment it is."""
    with pytest.raises(ValueError, match="naive"):
        UtcDateTime().process_bind_param(datetime(2026, 11, 1), SQLITE)  # noqa: DTZ001  the fault itself


def test_any_mapping_and_any_integer_is_json() -> None:
    """Frozen maps and numbers beyond 64 bits are written too; what has no JSON is refused."""
    assert to_json({"b": MappingProxyType({"x": 2**70}), "a": "é"}) == f'{{"b":{{"x":{2**70}}},"a":"é"}}'
    with pytest.raises(TypeError):
        to_json({"a": object()})


@pytest.mark.parametrize("value", ["a\x00", {"a\x00": 1}, [{"x": ("y", "\x00")}], {"x": "\udc80"}])
def test_text_that_no_database_holds_is_refused(value: object) -> None:
    """At any depth, in keys too; the message says where it came from."""
    with pytest.raises(UserError, match=r"^these: "):
        check_storable(value, "these")


def test_every_other_text_can_be_stored() -> None:
    """Also text that only looks like an escape."""
    check_storable({"a": ["\\u0000", "日本 \U0001f600", 1, None, {"b": True}]}, "these")


def test_migrations_stand_beside_the_source_tree() -> None:
    """Where this test runs."""
    root = Path(orchestrator.__file__).parent.parent

    assert migrate.script_location() == root / "alembic"


def test_installed_package_holds_its_migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In site-packages the directory `alembic` is the library, not ours."""
    library = tmp_path / "alembic"
    library.mkdir()
    for name in ("__init__.py", "env.py"):
        (library / name).touch()
    monkeypatch.setattr(orchestrator, "__file__", str(tmp_path / "orchestrator" / "__init__.py"))

    assert migrate.script_location() == tmp_path / "orchestrator" / "_alembic"
