"""How children stand for people who ask, read from real rows on both databases."""

from dataclasses import replace

from orchestrator.core.changes import InstanceChange
from orchestrator.core.status import WorkflowState
from orchestrator.store.child_places import ChildPlace, read_children
from tests.contract.store.bench import AT, Bench


def test_children_are_read_with_their_state_and_since_when_they_are_held(bench: Bench) -> None:
    """One that does not exist is left out."""
    run, other = bench.submit_and_load(), bench.submit_and_load()
    paused = replace(run.head, state=WorkflowState.PAUSED, paused_at=AT)
    bench.commit(InstanceChange(head=paused, revision=run.revision))

    places = read_children(bench.engine, [run.head.id, other.head.id, 999_999])

    assert places == {
        one.id: ChildPlace(id=one.id, workflow=one.workflow, state=one.state, paused_at=one.paused_at)
        for one in (paused, other.head)
    }


def test_nothing_is_asked_about_no_children(bench: Bench) -> None:
    """Most runs have none."""
    assert read_children(bench.engine, []) == {}
