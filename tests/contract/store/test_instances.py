"""Loading runs into memory."""

from dataclasses import replace
from typing import Any

from orchestrator.core.changes import InstanceChange
from orchestrator.core.outputs import StoredOutputs
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.store.instances import BIG_OUTPUTS_BYTES, is_big
from orchestrator.store.session import to_json
from tests.contract.store.bench import AT, Bench, make_attempt


def test_runs_are_loaded_together_with_their_current_attempts(bench: Bench) -> None:
    """In order of submission; what does not exist is missing."""
    one, two = bench.run_with("b", "a"), bench.run_with("c")

    loaded = bench.instances.load([one.head.id, two.head.id, 4711])

    assert set(loaded) == {one.head.id, two.head.id}
    assert [attempt.task for attempt in loaded[one.head.id].attempts] == ["b", "a"]
    assert loaded[two.head.id] == two


def test_attempts_of_a_finished_run_are_not_loaded(bench: Bench) -> None:
    """For a late event the one attempt row decides."""
    run = bench.run_with("a")
    ended = replace(run.attempts[0], state=TaskState.SUCCESS, ended_at=AT)
    head = replace(run.head, state=WorkflowState.SUCCESS, ended_at=AT)
    bench.commit(InstanceChange(head=head, revision=1, changed=(ended,)))

    assert bench.load(head.id).attempts == ()
    assert bench.instances.attempts([ended.key]) == {ended.key: ended}


def test_nothing_asked_is_nothing_loaded(bench: Bench) -> None:
    """Empty questions cost no query and have empty answers."""
    assert bench.instances.load([]) == {}
    assert bench.instances.attempts([]) == {}
    assert bench.instances.outputs([]) == {}
    assert bench.instances.unfinished([]) == []


def test_unfinished_runs_of_some_slots_are_paged(bench: Bench) -> None:
    """What a takeover has to load, without the finished ones."""
    runs = [bench.submit_and_load() for _ in range(5)]
    ended = replace(runs[1].head, state=WorkflowState.STOPPED)
    bench.commit(InstanceChange(head=ended, revision=0))
    ids = [run.head.id for run in runs]
    slots = [run.head.slot for run in runs[:4]]

    first = bench.instances.unfinished(slots, limit=2)
    rest = bench.instances.unfinished(slots, after_id=first[-1], limit=2)

    assert [*first, *rest] == [ids[0], ids[2], ids[3]]


def test_run_of_many_attempts_is_loaded_whole(bench: Bench) -> None:
    """More attempts than a statement takes parameters."""
    run = bench.submit_and_load()
    many = tuple(make_attempt(run, f"t{n}", sequence=n) for n in range(1, 3001))
    bench.commit(InstanceChange(head=run.head, revision=0, new=many))
    bench.commit(InstanceChange(head=run.head, revision=1, changed=many))

    assert bench.load(run.head.id).attempts == many
    assert len(bench.instances.outputs(attempt.key for attempt in many)) == 3000


def test_number_of_slots_is_the_deployments(bench: Bench) -> None:
    """It was fixed when the database was created."""
    assert bench.instances.slots() == 64


def test_big_outputs_are_loaded_as_names_and_asked_for_by_key(bench: Bench) -> None:
    """The limit is the same for memory and for loading, to the byte; order, types and nesting are kept."""
    run = bench.run_with("limit", "above", "small", "none")
    empty = len(to_json({"text": ""}))
    outputs: dict[str, dict[str, Any]] = {
        "limit": {"text": "x" * (BIG_OUTPUTS_BYTES - empty)},
        "above": {"text": "é" * ((BIG_OUTPUTS_BYTES - empty) // 2 + 1)},
        "small": {"z": 1.0, "a": {"deep": [None, "\n", "\u2028"]}},
        "none": {},
    }
    changed = tuple(
        replace(one, state=TaskState.SUCCESS, ended_at=AT, outputs=outputs[one.task]) for one in run.attempts
    )
    bench.commit(InstanceChange(head=run.head, revision=run.revision, changed=changed))

    loaded = {one.task: one for one in bench.load(run.head.id).attempts}

    assert {task: is_big(values) for task, values in outputs.items()} == {
        "limit": False,
        "above": True,
        "small": False,
        "none": False,
    }
    assert {task: one.outputs for task, one in loaded.items()} == {
        **outputs,
        "above": StoredOutputs(["text"]),
    }
    keys = {one.key: one.task for one in changed}
    assert bench.instances.outputs(keys) == {key: outputs[task] for key, task in keys.items()}


def test_names_of_big_outputs_keep_their_order(bench: Bench) -> None:
    """Also names that need quoting."""
    run = bench.run_with("a")
    outputs = {"z": "x" * 2000, 'qu"ote': 1, "a b": [], "é": None}
    ended = replace(run.attempts[0], state=TaskState.SUCCESS, ended_at=AT, outputs=outputs)
    bench.commit(InstanceChange(head=run.head, revision=run.revision, changed=(ended,)))

    (attempt,) = bench.load(run.head.id).attempts

    assert isinstance(attempt.outputs, StoredOutputs)
    assert list(attempt.outputs) == list(outputs)
    assert replace(attempt, outputs=outputs) == ended
