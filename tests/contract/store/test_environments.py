"""Stored environments: set, changed, looked up by name, on every database."""

from dataclasses import replace

import pytest

from orchestrator.core.changes import InstanceChange
from orchestrator.core.definition import TaskDefinition
from orchestrator.core.status import WorkflowState
from orchestrator.errors import Conflict, NotFound
from orchestrator.store.environments import Environments
from tests.contract.store.bench import Bench


def test_variables_are_set_and_removed_one_by_one(bench: Bench) -> None:
    """What is not named stays; a new name makes a new environment."""
    stored = Environments(bench.engine)

    stored.set("staging", {"B": "2", "A": "1 ' é"})
    assert stored.set("staging", {"A": "3", "C": ""}, without=["B", "Z"]) == {"A": "3", "C": ""}
    stored.set("empty", {})

    assert stored.list() == {"empty": {}, "staging": {"A": "3", "C": ""}}


def test_an_environment_is_deleted_when_nobody_needs_it(bench: Bench) -> None:
    """Workflows that are online, and versions that runs go on with, need it; force deletes it all the same."""
    stored = Environments(bench.engine)
    stored.set("staging", {"A": "1"})
    old = bench.deploy(TaskDefinition(name="a", type="noop", environment="staging"))
    run = bench.load(bench.submit(definition_id=old.id).id)
    with pytest.raises(Conflict, match="'nightly' version 1"):
        stored.delete("staging")
    bench.deploy(environment=None)
    with pytest.raises(Conflict, match="'nightly' version 1"):  # the run goes on with it
        stored.delete("staging")

    ended = replace(run.head, state=WorkflowState.STOPPED)
    bench.commit(InstanceChange(head=ended, revision=run.revision))
    stored.delete("staging")
    assert stored.list() == {}
    with pytest.raises(NotFound, match="staging"):
        stored.delete("staging")

    stored.set("needed", {})
    bench.deploy(environment="needed", name="other")
    stored.delete("needed", force=True)
    assert stored.list() == {}


def test_only_those_that_there_are_are_found(bench: Bench) -> None:
    """A master asks for all environments of a batch at once."""
    Environments(bench.engine).set("staging", {"A": "1"})

    assert bench.instances.environments(["staging", "nowhere"]) == {"staging": {"A": "1"}}
    assert bench.instances.environments([]) == {}
