"""The stored cache: written with a success, found by key, cleared, on every database."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from orchestrator.core.cache import CachedOutputs, CacheEntry
from orchestrator.core.changes import InstanceChange
from orchestrator.core.status import TaskState
from orchestrator.errors import RevisionLost
from orchestrator.store.cache import Cache
from orchestrator.store.schema import task_cache
from orchestrator.store.session import writing
from tests.contract.store.bench import Bench

OUTPUTS = {"rows": 3, "nested": {"a": [1, None, "é"]}}


def keep(bench: Bench, key: str, *, task: str = "a", workflow: str = "nightly", stale: bool = False) -> int:
    """Commit a success and its entry, as a master does; return the run."""
    loaded = bench.run_with(task)
    (attempt,) = loaded.attempts
    ended = replace(attempt, state=TaskState.SUCCESS, outputs=OUTPUTS, cache_key=key)
    entry = CacheEntry(
        key=key, workflow=workflow, workflow_instance_id=loaded.head.id, task=task, attempt=attempt.attempt
    )
    change = InstanceChange(head=loaded.head, revision=7 if stale else loaded.revision, changed=(ended,))
    bench.commit(change, cached=(entry,))
    return loaded.head.id


def test_what_is_kept_is_found_with_its_outputs(bench: Bench) -> None:
    """In one query for many keys; nobody is told of a key that has nothing."""
    first, second = keep(bench, "k1"), keep(bench, "k2")
    cache = Cache(bench.engine)

    assert cache.find(["k1", "k2", "k3"]) == {
        "k1": CachedOutputs(workflow_instance_id=first, outputs=OUTPUTS),
        "k2": CachedOutputs(workflow_instance_id=second, outputs=OUTPUTS),
    }
    assert cache.find([]) == {}


def test_the_last_success_under_a_key_counts(bench: Bench) -> None:
    """Two runs may work out the same thing at the same time."""
    # Teeth: fails if the entry keeps the task of the first one: elements of a map share keys.
    keep(bench, "k", task="m[0]")
    last = keep(bench, "k", task="m[1]")

    assert Cache(bench.engine).find(["k"])["k"].workflow_instance_id == last
    assert Cache(bench.engine).count("nightly", "m") == 1
    assert Cache(bench.engine).count() == 1


def test_a_success_that_is_not_committed_keeps_nothing(bench: Bench) -> None:
    """The entry is written in the transaction of the success, or not at all."""
    with pytest.raises(RevisionLost):
        keep(bench, "k", stale=True)

    assert Cache(bench.engine).count() == 0


def test_clearing_takes_what_is_named(bench: Bench) -> None:
    """By workflow, task and age, by the database's clock; the number of entries comes back."""
    for key, task, workflow in (("1", "a", "w"), ("2", "b", "w"), ("3", "a", "v"), ("4", "a", "u")):
        keep(bench, key, task=task, workflow=workflow)
    old = bench.committer.database_now() - timedelta(hours=2)
    with writing(bench.engine) as connection:
        connection.execute(update(task_cache).where(task_cache.c.key == "4").values(created_at=old))
    cache = Cache(bench.engine)

    assert cache.clear("w", "a") == 1
    assert cache.clear("w") == 1
    assert cache.clear("nobody") == 0
    assert cache.clear(older_than_s=3600.0) == 1
    assert (cache.count("v"), cache.count("v", "b"), cache.count()) == (1, 0, 1)
    assert cache.clear() == 1
