"""The Celery app's settings, and how a worker finds callables and task types."""

import os
import sys
from pathlib import Path

import pytest
from celery import Celery

from orchestrator.config import load_settings
from orchestrator.core.deferral import Defer
from orchestrator.worker.celery_defaults import defaults, embedded_redis_url, redis_url
from orchestrator.worker.executors.port import TaskFailure, UnknownCallable
from orchestrator.worker.executors.python import find_callable, one_line
from orchestrator.worker.executors.registry import UnknownType, builtin_registry


def test_home_names_its_running_private_server(tmp_path: Path) -> None:
    """The embedded part writes the URL into a file; a setting wins over it."""
    assert embedded_redis_url(tmp_path) is None
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "redis.url").write_text("unix://:pw@/tmp/r.sock?db=0\n")

    assert redis_url(load_settings({"ORCHESTRATOR_HOME": str(tmp_path)})) == "unix://:pw@/tmp/r.sock?db=0"
    settings = load_settings({"ORCHESTRATOR_HOME": str(tmp_path), "ORCHESTRATOR_REDIS_URL": "redis://r/1"})
    assert redis_url(settings) == "redis://r/1"


def test_defaults_are_those_of_the_protocol(tmp_path: Path) -> None:
    """PROTOCOL section 3."""
    settings = load_settings(
        {
            "ORCHESTRATOR_HOME": str(tmp_path),
            "ORCHESTRATOR_BROKER_URL": "amqp://b",
            "ORCHESTRATOR_KEY_PREFIX": "p:",
        }
    )
    values = defaults(settings)

    assert values["broker_url"] == "amqp://b"
    assert values["result_backend"] is None
    assert values["accept_content"] == ["json"]
    assert values["broker_transport_options"]["global_keyprefix"] == "p:"


def test_callables_are_found_by_name(tmp_path: Path) -> None:
    """Module and function; where the definition's file lies, too; `@task` is unwrapped."""
    (tmp_path / "only_there.py").write_text(
        "class Wrapped:\n    @staticmethod\n    def function(): return 1\n    inner = staticmethod(len)\n"
    )

    assert find_callable("os.path:join", None) is os.path.join
    assert find_callable("only_there:Wrapped", tmp_path)() == 1
    assert find_callable("only_there:Wrapped.inner", tmp_path) is len
    sys.path.remove(str(tmp_path))


@pytest.mark.parametrize("name", ["no_such_module:f", "os:no_such", "os", "os:sep", ":f", ""])
def test_callables_that_are_not_there_are_named(name: str) -> None:
    """The import error is what the master shows."""
    with pytest.raises(UnknownCallable):
        find_callable(name, None)


def test_function_whose_call_is_no_result_fails_at_once(tmp_path: Path) -> None:
    """No other worker could run it either; the reason says what to write instead."""
    (tmp_path / "awaits.py").write_text("async def load(): pass\n")

    with pytest.raises(TaskFailure, match="awaits:load: is an async function") as failed:
        find_callable("awaits:load", tmp_path)

    assert failed.value.error == "InvalidTask"
    sys.path.remove(str(tmp_path))


def test_registry_knows_builtin_types_and_refuses_others() -> None:
    """An unknown type is named."""
    registry = builtin_registry(Celery("app", set_as_current=False))

    assert registry.find("shell") is registry.find("shell")
    with pytest.raises(UnknownType, match="nonsense"):
        registry.find("nonsense")


def test_reasons_are_one_line() -> None:
    """The first line of the message behind the exception's name."""
    assert one_line(ValueError("a\nb")) == "ValueError: a"
    assert one_line(KeyError()) == "KeyError"
    assert TaskFailure("r", error="E").reason == "r"


@pytest.mark.parametrize("seconds", [-1.0, float("inf"), float("nan")])
def test_defer_needs_a_sensible_number(seconds: float) -> None:
    """A deferral into the past or for ever is the task's mistake."""
    with pytest.raises(ValueError, match="Defer"):
        Defer(seconds)
