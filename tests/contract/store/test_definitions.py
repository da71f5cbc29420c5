"""Definitions: versions, and whether they are online."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from orchestrator.core.definition import ParameterDefinition, TaskDefinition, Trigger
from orchestrator.errors import Conflict, NotFound, UserError
from orchestrator.store.definitions import Definitions
from tests.contract.store.bench import Bench, make_definition

FULL = make_definition(
    TaskDefinition(name="a", type="shell", spec={"run": "echo é"}, retries=3, retry_delay_s=1.5),
    TaskDefinition(name="b", type="noop", needs=("a",), trigger=Trigger.ALL_DONE, outputs={"n": "integer"}),
    description="Load yesterday's orders",
    tags=("x", "y"),
    params={"n": ParameterDefinition(type="integer", default=3)},
    source_dir="/somewhere",
)


def test_definition_is_read_back_as_it_was_deployed(bench: Bench) -> None:
    """By name, by version, and by the id that runs are pinned to."""
    definitions = Definitions(bench.engine)
    deployed = definitions.deploy(FULL, online=False)

    stored = definitions.get("nightly")

    assert (deployed.version, deployed.created, deployed.online) == (1, True, False)
    assert stored.definition == FULL
    assert (stored.id, stored.version, stored.online) == (deployed.id, 1, False)
    assert bench.instances.definition(deployed.id) == FULL


def test_unchanged_definition_makes_no_new_version(bench: Bench) -> None:
    """Where it was deployed from is noted anew; it is not part of the version."""
    definitions = Definitions(bench.engine)
    first = definitions.deploy(FULL)

    again = definitions.deploy(replace(FULL, source_dir="/elsewhere"))

    assert again == replace(first, created=False)
    assert definitions.get("nightly").definition.source_dir == "/elsewhere"


def test_changed_definition_is_a_new_version_and_the_old_one_stays(bench: Bench) -> None:
    """Runs keep the version they are pinned to; going back to an old text is a new version as well."""
    definitions = Definitions(bench.engine)
    first = definitions.deploy(FULL)
    second = definitions.deploy(replace(FULL, description="x"))
    third = definitions.deploy(FULL)

    assert [one.version for one in (first, second, third)] == [1, 2, 3]
    assert bench.instances.definition(first.id) == FULL
    assert definitions.get("nightly", 2).definition.description == "x"


def test_simultaneous_deployments_make_different_versions(bench: Bench) -> None:
    """The database decides the race; equal ones are one version."""
    texts = ["one", "two"] * 4

    with ThreadPoolExecutor(4) as threads:
        deploy = Definitions(bench.engine).deploy
        deployed = list(threads.map(lambda text: deploy(replace(FULL, description=text)), texts))

    made = [one.version for one in deployed if one.created]
    assert sorted(made) == list(range(1, len(made) + 1))


def test_list_shows_the_last_version_of_each_name(bench: Bench) -> None:
    """In the order of names."""
    definitions = Definitions(bench.engine)
    for name in ("b", "a", "b"):
        definitions.deploy(make_definition(name=name, description=f"{name}{len(definitions.list())}"))

    assert [(one.definition.name, one.version) for one in definitions.list()] == [("a", 1), ("b", 2)]


def test_online_holds_for_all_versions_of_a_name(bench: Bench) -> None:
    """Going offline does not depend on which version is asked for."""
    definitions = Definitions(bench.engine)
    definitions.deploy(FULL)
    definitions.deploy(replace(FULL, description="x"))

    definitions.set_online("nightly", online=False)

    assert [definitions.get("nightly", version).online for version in (1, 2)] == [False, False]


def test_unknown_name_or_version_is_not_found(bench: Bench) -> None:
    """The message names what was asked for."""
    definitions = Definitions(bench.engine)
    definitions.deploy(FULL)

    with pytest.raises(NotFound, match="'weekly'"):
        definitions.get("weekly")
    with pytest.raises(NotFound, match="'nightly' version 2"):
        definitions.get("nightly", 2)
    with pytest.raises(NotFound, match="'weekly'"):
        definitions.set_online("weekly", online=True)
    with pytest.raises(NotFound):
        bench.instances.definition(4711)


def test_definition_with_a_nul_character_is_refused(bench: Bench) -> None:
    """PostgreSQL could not hold it."""
    with pytest.raises(UserError, match=r"'nightly'.*NUL"):
        bench.deploy(TaskDefinition(name="a", type="shell", spec={"run": "echo \x00"}))


def test_definition_that_was_never_run_can_be_deleted(bench: Bench) -> None:
    """With its versions and schedules, once it is offline; runs need their definition."""
    definitions = Definitions(bench.engine)
    bench.deploy(schedules=({"cron": "0 2 * * *"},))
    bench.deploy(schedules=({"cron": "0 2 * * *"},), description="second")

    with pytest.raises(Conflict, match="first: orchestrator definitions offline"):
        definitions.delete("nightly")
    definitions.set_online("nightly", online=False)
    definitions.delete("nightly")

    assert bench.contents()["workflow_definition"] == bench.contents()["schedule"] == []
    with pytest.raises(NotFound):
        definitions.delete("nightly")
    bench.submit()
    definitions.set_online("nightly", online=False)
    with pytest.raises(Conflict, match=r"has runs \(1\)"):
        definitions.delete("nightly")
