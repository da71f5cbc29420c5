"""Stored environments: set, changed, looked up by name, on every database."""

from orchestrator.store.environments import Environments
from tests.contract.store.bench import Bench


def test_variables_are_set_and_removed_one_by_one(bench: Bench) -> None:
    """What is not named stays; a new name makes a new environment."""
    stored = Environments(bench.engine)

    stored.set("staging", {"B": "2", "A": "1 ' é"})
    assert stored.set("staging", {"A": "3", "C": ""}, without=["B", "Z"]) == {"A": "3", "C": ""}
    stored.set("empty", {})

    assert stored.list() == {"empty": {}, "staging": {"A": "3", "C": ""}}


def test_only_those_that_there_are_are_found(bench: Bench) -> None:
    """A master asks for all environments of a batch at once."""
    Environments(bench.engine).set("staging", {"A": "1"})

    assert bench.instances.environments(["staging", "nowhere"]) == {"staging": {"A": "1"}}
    assert bench.instances.environments([]) == {}
