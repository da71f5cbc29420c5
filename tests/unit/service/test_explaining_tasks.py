"""Why a task does not run: one test per cause, from facts that were made by hand."""

from typing import Any

import pytest

from orchestrator.core.definition import Trigger
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.service.explaining.causes import Cause, Kind
from orchestrator.service.explaining.deciding import causes_of_task
from orchestrator.service.explaining.facts import Buried
from orchestrator.service.explaining.reject_causes import NO_APPLICATION
from tests.builders import a_task, an_attempt
from tests.unit.service.explained import (
    a_worker,
    after,
    ago,
    ended,
    first,
    running,
    said,
    some_facts,
    without_redis,
)

DISPATCHED: dict[str, Any] = {"state": TaskState.DISPATCHED, "dispatched_at": ago(12)}
SWITCH = {"type": "switch", "spec": {"cases": [{"when": "true", "then": ["b"]}], "default": ["c"]}}


def only(*args: Any, task: str = "a", **fields: Any) -> Cause:
    """Return the only cause of a task."""
    (cause,) = causes_of_task(some_facts(*args, **fields), task)
    return cause


def test_upstream_that_is_not_done_is_named_with_its_state_and_explained_first() -> None:
    """Who waits for `load` wants to know about `extract`, far above it."""
    tasks = (a_task("extract"), a_task("clean", "extract"), a_task("load", "clean"))

    causes = causes_of_task(some_facts(*tasks, attempts=[running("extract")]), "load")

    assert said(causes) == [
        "extract running: runs on w1, last heard of 2 s ago",
        "load upstream: waits for clean (not reached yet)",
    ]
    assert causes[1].since == ago(60)


def test_waiting_since_the_last_upstream_that_ended() -> None:
    """The others are done; a trigger that is not the usual one is said."""
    tasks = (a_task("a"), a_task("b"), a_task("c", "a", "b", trigger=Trigger.ALL_DONE))
    facts = some_facts(*tasks, attempts=[ended("a", TaskState.SUCCESS), running("b")])

    cause = causes_of_task(facts, "c")[-1]

    assert said([cause]) == ["c upstream: waits for b (RUNNING) (trigger: all_done)"]
    assert cause.since == ago(10)


def test_task_that_runs_early_is_not_held_back_by_its_other_upstreams() -> None:
    """`one_success` has decided: what it waits for is its own affair."""
    tasks = (a_task("a"), a_task("b"), a_task("c", "a", "b", trigger=Trigger.ONE_SUCCESS))
    facts = some_facts(*tasks, attempts=[ended("a", TaskState.SUCCESS), running("b"), running("c")])

    assert [cause.task for cause in causes_of_task(facts, "c")] == ["c"]


def test_group_without_a_worker_names_the_command_that_starts_one() -> None:
    """Nobody takes it: that is why the broker still has it."""
    facts = some_facts(a_task("a", worker_group="gpu"), attempts=[an_attempt(**DISPATCHED)])

    unserved, broker = causes_of_task(facts, "a")

    assert said([unserved]) == ["a group_unserved: no worker takes tasks of group 'gpu'"]
    assert (unserved.since, unserved.remedy) == (ago(12), "orchestrator worker --group gpu")
    assert broker.kind is Kind.BROKER
    assert "sent again" not in broker.detail, (
        "without a worker a repeat would only leave a dead message behind"
    )


def test_attempt_that_gave_way_says_who_may_have_its_slot() -> None:
    """Nobody serves its group: its slot is free for others. As soon as somebody does, it waits in line."""
    task = a_task("a", worker_group="gpu", pool="few")
    waiting = [an_attempt(reason="no worker")]
    served = {"workers": (a_worker("w1", groups=("gpu",)),)}

    lacking = causes_of_task(some_facts(task, attempts=waiting), "a")
    in_line = causes_of_task(some_facts(task, attempts=waiting, fleet=served), "a")

    assert said(lacking) == [
        "a group_unserved: no worker takes tasks of group 'gpu'; until then others may have its slot of pool 'few'"
    ]
    assert said(in_line) == ["a pool: waits for a slot of pool 'few'"]


def test_group_whose_workers_drain_or_are_lost_names_them() -> None:
    """The remedy is to let the drained one work again."""
    workers = (a_worker("w1", is_draining=True), a_worker("w2", is_lost=True, seen=ago(99)))

    cause = only(attempts=[an_attempt()], fleet={"workers": workers})

    assert cause.detail == "no worker takes tasks of group 'default'; draining: w1; lost: w2"
    assert cause.remedy == "orchestrator workers resume w1"


def test_broker_says_since_when_it_holds_the_task_and_how_busy_the_group_is() -> None:
    """And when the hand-over is repeated."""
    busy = a_worker(running=("1:a:1:1", "1:b:1:1"), capacity=2)

    cause = only(attempts=[an_attempt(**DISPATCHED)], fleet={"workers": (busy,)})

    assert (cause.kind, cause.since) == (Kind.BROKER, ago(12))
    assert "(2 of 2 places taken)" in cause.detail
    assert "after 60 s it is recalled" in cause.detail


def test_ready_task_waits_in_the_master_for_room() -> None:
    """The window of its group is full: how many wait, and what would help."""
    cause = only(attempts=[an_attempt()], fleet={"waiting": {"default": 200}})

    assert cause.kind is Kind.ROOM
    assert cause.detail.endswith("room in group 'default' (0 of 4 places taken); 200 wait for it")
    assert cause.remedy == "orchestrator worker --group default"


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("draining", "orchestrator workers resume w2"),
        ("overload", "orchestrator worker --group default"),
        ("unknown_callable", "install what the task needs where w2 runs, and start that worker again"),
        ("unknown_bundle", "put the bundle where w2 looks for it (ORCHESTRATOR_BUNDLES there)"),
    ],
)
def test_rejected_task_says_by_whom_why_and_until_when_it_waits(reason: str, remedy: str) -> None:
    """Rejects have no limit, but they are visible."""
    attempt = an_attempt(rejected_by=("w1 overload", f"w2 {reason}"), due_at=after(4))

    cause = only(attempts=[attempt], fleet={"workers": (a_worker(), a_worker("w2"))})

    assert said([cause]) == [
        f"a rejected: was given back by w2 ({reason}), 2 times in all; it waits until 2026-11-01T12:00:04Z"
    ]
    assert cause.remedy == remedy


@pytest.mark.parametrize(
    ("fields", "kind", "words"),
    [
        ({}, Kind.DELAY, "waits for its delay until"),
        ({"failures": 2, "attempt": 3}, Kind.RETRY, "waits for its retry 2 of 3 until"),
        ({"reason": "deferred", "failures": 1}, Kind.DEFERRED, "a deferral"),
    ],
)
def test_time_that_is_waited_for_is_named(fields: dict[str, Any], kind: Kind, words: str) -> None:
    """A delay, a retry, a deferral: each with the time of its end."""
    attempt = an_attempt(state=TaskState.DELAYED, due_at=after(42), **fields)

    cause = only(a_task("a", retries=3), attempts=[attempt])

    assert (cause.kind, cause.until) == (kind, after(42))
    assert words in said([cause])[0]


def test_running_task_says_where_and_when_that_worker_was_last_heard_of() -> None:
    """And until when it may run, and how to see its log."""
    cause = only(attempts=[running(timeout_at=after(270))])

    assert said([cause]) == [
        "a running: runs on w1, last heard of 2 s ago, at most until 2026-11-01T12:04:30Z"
    ]
    assert (cause.since, cause.remedy) == (ago(30), "orchestrator runs logs 17 a --follow")


@pytest.mark.parametrize(
    ("workers", "words"),
    [
        ((), "has left"),
        ((a_worker(incarnation="w1-2"),), "has been started anew since"),
        ((a_worker(is_lost=True, seen=ago(99)),), "is silent"),
    ],
)
def test_worker_that_is_gone_leaves_a_task_that_is_replaced(workers: tuple[Any, ...], words: str) -> None:
    """Left, restarted or silent: the attempt's owner does not end it any more."""
    cause = only(attempts=[running()], fleet={"workers": workers})

    assert cause.kind is Kind.WORKER_LOST
    assert words in cause.detail
    assert cause.since == (ago(99) if "silent" in words else None)


def test_claim_that_a_recall_has_found_names_its_holder() -> None:
    """Not RUNNING yet, but a worker has it: it is that worker's affair."""
    attempt = an_attempt(**DISPATCHED, worker="w1", incarnation="w1-1")

    assert only(attempts=[attempt]).kind is Kind.RUNNING


def test_without_redis_the_rows_still_say_where_a_task_is() -> None:
    """Nothing is claimed about workers that nobody can see."""
    facts = without_redis(some_facts(attempts=[an_attempt(**DISPATCHED)]))

    assert [cause.kind for cause in causes_of_task(facts, "a")] == [Kind.REDIS_AWAY, Kind.BROKER]


def test_approval_names_the_command_that_gives_the_signal() -> None:
    """And what happens when nobody gives it."""
    attempt = an_attempt(type="approval", state=TaskState.RUNNING, started_at=ago(5), timeout_at=after(9))

    cause = only(a_task("a", type="approval", spec={"default": {}}), attempts=[attempt])

    assert said([cause]) == [
        "a signal: waits for a signal, at most (its default counts then) until 2026-11-01T12:00:09Z"
    ]
    assert (cause.since, cause.remedy) == (ago(5), "orchestrator runs signal 17 a")


def test_group_whose_workers_have_lost_the_broker_is_served_by_nobody() -> None:
    """They live, and take nothing: what is missing is the broker."""
    facts = some_facts(attempts=[an_attempt(**DISPATCHED)], fleet={"workers": (a_worker(is_cut_off=True),)})

    cause = first(facts, "a")

    assert said([cause]) == [
        "a group_unserved: no worker takes tasks of group 'default'; without the broker: w1"
    ]
    assert cause.remedy == "start the broker, or correct ORCHESTRATOR_BROKER_URL where w1 runs"


@pytest.mark.parametrize("fleet", [{"workers": ()}, {"workers": (a_worker("w2", is_lost=True),)}])
def test_worker_that_lacked_a_callable_and_is_gone_is_not_to_be_mended(fleet: dict[str, Any]) -> None:
    """`run` ends the workers that it started: what is missing is a worker that has it."""
    failed = ended(
        "a",
        TaskState.FAILURE,
        type="python",
        rejected_by=("w2 unknown_callable",),
        reason="No module",
        started_at=None,
    )

    cause = only(a_task("a", type="python"), attempts=[failed], fleet=fleet)

    assert cause.remedy == (
        "start a worker where what the task needs is installed: orchestrator worker --group default"
    )


CHARGE = a_task("a", type="celery", spec={"call": "shop.charge"}, worker_group="shop")


@pytest.mark.parametrize(
    ("worker", "remedy"),
    [
        ({}, f"start the application's own worker with the masters' Redis: {NO_APPLICATION} -Q shop"),
        ({"tasks": ("shop.ship",)}, "register shop.charge in the application of w2, and start that worker again"),
        (
            {"tasks": ("shop.charge",)},
            "w2 has shop.charge and consumes default: have it consume shop, too, or change the task's queue",
        ),
        ({"tasks": ("shop.charge",), "groups": ("shop",)}, ""),
    ],
)  # fmt: skip
def test_task_of_an_application_needs_a_worker_of_that_application(
    worker: dict[str, Any], remedy: str
) -> None:
    """A worker of ours that gave it back is not the one that lacks something."""
    attempt = an_attempt(type="celery", rejected_by=("w2 unknown_callable",), due_at=after(4))

    facts = some_facts(CHARGE, attempts=[attempt], fleet={"workers": (a_worker("w2", **worker),)})
    told = [cause for cause in causes_of_task(facts, "a") if cause.kind is Kind.REJECTED]

    assert [cause.remedy for cause in told] == [remedy]


def test_task_that_was_ended_before_it_began_has_no_log() -> None:
    """Nobody is sent to a file that nobody has written."""
    stopped = ended("a", TaskState.KILLED, type="shell", started_at=None, reason="stopped")

    assert only(attempts=[stopped]).remedy == ""


def test_task_whose_own_run_failed_is_explained_by_that_run() -> None:
    """The reason says which; what failed in it is asked of it."""
    failed = ended("a", TaskState.FAILURE, type="sub_workflow", child=18, reason="its run 18 failed")

    assert only(attempts=[failed]).remedy == "orchestrator runs explain 18"


def test_task_that_waits_for_its_retry_names_the_log_of_what_failed() -> None:
    """The attempt that waits has none yet."""
    attempt = an_attempt(state=TaskState.DELAYED, due_at=after(42), failures=1, attempt=2, type="shell")

    cause = only(a_task("a", retries=3), attempts=[attempt])

    assert cause.remedy == "orchestrator runs logs 17 a --attempt 1"


def test_dependent_task_says_for_whom_it_waits_and_until_when() -> None:
    """The reason in its row, and nothing about the master, who only looks."""
    attempt = running(
        type="dependent", worker=None, incarnation=None, reason="waits for b: no run", timeout_at=after(9)
    )

    cause = only(a_task("a", type="dependent"), attempts=[attempt])

    assert said([cause]) == ["a master_decides: waits for b: no run, at most until 2026-11-01T12:00:09Z"]


def test_sub_workflow_names_the_run_that_it_waits_for() -> None:
    """What that waits for is asked of it."""
    attempt = an_attempt(type="sub_workflow", state=TaskState.RUNNING, started_at=ago(5), child=18)

    cause = only(a_task("a", type="sub_workflow", spec={"workflow": "kid"}), attempts=[attempt])

    assert (cause.detail, cause.remedy) == ("waits for its run 18", "orchestrator runs explain 18")


def test_switch_that_is_submitted_is_decided_by_the_master() -> None:
    """No worker is missing."""
    tasks = (a_task("a", **SWITCH), a_task("b", "a"), a_task("c", "a"))

    cause = causes_of_task(some_facts(*tasks, attempts=[an_attempt(type="switch")]), "a")[0]

    assert cause.kind is Kind.MASTER_DECIDES


def test_held_task_is_resumed_with_its_run() -> None:
    """A row that is PAUSED waits for the run."""
    facts = some_facts(
        attempts=[an_attempt(state=TaskState.PAUSED)],
        head={"state": WorkflowState.PAUSED, "paused_at": ago(8)},
    )

    assert [cause.kind for cause in causes_of_task(facts, "a")] == [Kind.PAUSED, Kind.HELD]


def test_task_in_the_broker_is_recalled_while_its_run_pauses() -> None:
    """What has not begun is held."""
    facts = some_facts(attempts=[an_attempt(**DISPATCHED)], head={"state": WorkflowState.PAUSING})

    assert said(causes_of_task(facts, "a"))[1:] == ["a held: is being recalled, because its run pauses"]


def test_running_task_of_a_run_that_stops_names_the_worker_that_must_end_it() -> None:
    """Whom the run still waits for."""
    facts = some_facts(attempts=[running()], head={"state": WorkflowState.STOPPING})

    assert [cause.kind for cause in causes_of_task(facts, "a")] == [
        Kind.STOPPING,
        Kind.STOPPING,
        Kind.RUNNING,
    ]


def test_buried_report_of_the_attempt_is_named_before_its_worker() -> None:
    """Its end may lie among the dead letters."""
    buried = (
        Buried(id="5-1", task="a", attempt=1, reason="forged", at=ago(6)),
        Buried(id="4-1", task="a", attempt=7, reason="of another attempt", at=ago(7)),
    )

    causes = causes_of_task(some_facts(attempts=[running()], fleet={"buried": buried}), "a")

    assert [cause.kind for cause in causes] == [Kind.BURIED, Kind.RUNNING]
    assert causes[0].remedy == "orchestrator events dead show 5-1 (then: replay 5-1)"


def test_task_that_is_not_run_names_the_failure_far_above_it() -> None:
    """Not the one between them, which was not run either."""
    tasks = (a_task("a"), a_task("b", "a"), a_task("c", "b"))

    cause = only(*tasks, attempts=[ended("a", TaskState.FAILURE, reason="exit code 3")], task="c")

    assert said([cause]) == ["c not_run: is not run because of a (FAILURE: exit code 3)"]
    assert (cause.since, cause.remedy) == (ago(10), "when the run has ended: orchestrator runs recover 17")


def test_task_beside_a_failure_is_not_run_because_the_run_ends() -> None:
    """`on_failure: end`: nothing above it failed."""
    tasks = (a_task("a"), a_task("b"), a_task("c", "b"))
    attempts = [ended("a", TaskState.FAILURE), ended("b", TaskState.SUCCESS)]

    cause = only(*tasks, attempts=attempts, head={"ending": True}, task="c")

    assert cause.detail == "is not run because a (FAILURE) ends the run (on_failure: end)"


def test_skipped_task_names_the_switch_far_above_it_and_what_it_chose() -> None:
    """The branch that was taken."""
    tasks = (a_task("a", **SWITCH), a_task("b", "a"), a_task("c", "a"), a_task("d", "c"))
    attempts = [
        ended("a", TaskState.SUCCESS, taken=("b",), type="switch"),
        ended("c", TaskState.SKIPPED),
        ended("d", TaskState.SKIPPED),
    ]

    assert only(*tasks, attempts=attempts, task="d").detail == "was skipped: a chose b"


def test_task_for_failures_is_skipped_when_nothing_failed() -> None:
    """`one_failed` without a failure."""
    tasks = (a_task("a"), a_task("b", "a", trigger=Trigger.ONE_FAILED))
    attempts = [ended("a", TaskState.SUCCESS), ended("b", TaskState.SKIPPED)]

    assert "nothing that it waits for failed" in only(*tasks, attempts=attempts, task="b").detail


def test_absorbed_failure_is_told_to_who_asks_for_it() -> None:
    """It holds nothing back, so the run's answer leaves it out."""
    conditions = a_task("b", "a", type="conditions", spec={"all": [{"task": "a", "is": "failure"}]})
    facts = some_facts(a_task("a"), conditions, attempts=[ended("a", TaskState.FAILURE)])

    assert first(facts, "a").detail.endswith("(a conditions task absorbs that)")
    assert Kind.FAILED not in {cause.kind for cause in causes_of_task(facts, "b")}


def test_task_that_a_stopped_run_never_reached_can_be_recovered() -> None:
    """Neither failed nor skipped: the run ended first."""
    facts = some_facts(
        a_task("a"),
        a_task("b", "a"),
        attempts=[ended("a", TaskState.SUCCESS)],
        head={"state": WorkflowState.STOPPED, "ended_at": ago(3)},
    )

    cause = causes_of_task(facts, "b")[-1]

    assert (cause.kind, cause.remedy) == (Kind.NOT_REACHED, "orchestrator runs recover 17")


def test_task_of_a_run_that_has_not_started_waits_for_its_run() -> None:
    """Its run's causes come first."""
    facts = some_facts(head={"state": WorkflowState.SUBMITTED, "started_at": None})

    assert [cause.kind for cause in causes_of_task(facts, "a")] == [Kind.NO_START, Kind.READY]


def test_task_outside_of_the_run_says_why() -> None:
    """Disabled, or not among what the start nodes reach."""
    facts = some_facts(outside={"z": "is disabled"})

    assert said(causes_of_task(facts, "z")) == ["z left_out: is disabled"]


def test_task_that_succeeded_is_held_back_by_nothing() -> None:
    """Not even by the pause of its run."""
    facts = some_facts(attempts=[ended("a", TaskState.SUCCESS)], head={"state": WorkflowState.PAUSED})

    assert said(causes_of_task(facts, "a")) == ["a ended: ended SUCCESS"]


def test_cause_is_a_document_with_iso_times() -> None:
    """What `--json` prints: five fields, `null` where there is nothing."""
    attempt = an_attempt(state=TaskState.DELAYED, due_at=after(42), submitted_at=ago(1))

    assert only(attempts=[attempt]).to_document() == {
        "task": "a",
        "cause": "delay",
        "since": "2026-11-01T11:59:59Z",
        "detail": "waits for its delay until 2026-11-01T12:00:42Z",
        "remedy": None,
    }


def test_task_that_was_paused_by_name_says_so() -> None:
    """Held, being recalled, and before it is reached: the remedy names the task."""
    tasks = (a_task("a"), a_task("b"), a_task("c", "b"))
    attempts = [an_attempt("a", state=TaskState.PAUSED), an_attempt("b")]
    facts = some_facts(*tasks, attempts=attempts, head={"held": ("a", "b", "c")})

    for task, words in (
        ("a", "is held: it"),
        ("b", "is being recalled: it"),
        ("c", "will be held when it is ready: it"),
    ):
        (cause,) = [one for one in causes_of_task(facts, task) if one.task == task and one.kind is Kind.HELD]
        assert cause.detail == f"{words} was paused by name"
        assert cause.remedy.endswith(f"--task {task}")


def test_task_whose_outputs_were_kept_names_the_run() -> None:
    """From which run they came stands in the reason."""
    reason = "from cache of run 12"
    facts = some_facts(attempts=[ended("a", TaskState.SUCCESS, reason=reason)])

    assert said(causes_of_task(facts, "a")) == [f"a ended: ended SUCCESS: {reason}"]


def test_task_that_no_worker_could_begin_has_no_log_to_read() -> None:
    """Its reason is all that there is."""
    attempt = ended(
        "a",
        TaskState.FAILURE,
        rejected_by=("w1 unknown_bundle",),
        reason="bundle 'b': no directory b",
        started_at=None,
    )

    (cause, *_) = causes_of_task(some_facts(attempts=[attempt]), "a")

    assert "bundle 'b': no directory b" in cause.detail
    assert cause.remedy == ""
