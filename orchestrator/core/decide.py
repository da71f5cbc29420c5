"""Owns the routing: one item, one handler; mypy names the item that has none."""

from typing import assert_never

from orchestrator.core.command import Command, CommandKind
from orchestrator.core.event import TaskDelayed, TaskDispatched, TaskResult, TaskRunning, WorkerReject
from orchestrator.core.handlers import again, cache, child, control, logic, notice, pool, report, spread
from orchestrator.core.notice import (
    AttemptDue,
    AttemptLost,
    AttemptTimeout,
    CacheLooked,
    CannotStart,
    ChildReady,
    Continue,
    Gathered,
    Judged,
    Looked,
    Notice,
    QueueTimeout,
    RecallLost,
    RecallWon,
    RunTimeout,
    Served,
    Spread,
    Unserved,
    Unsubmittable,
    Withdrawn,
)
from orchestrator.core.run import WorkflowInstance
from orchestrator.core.transition import Context, Transition

Report = TaskDispatched | TaskDelayed | TaskRunning | TaskResult | WorkerReject


def decide_report(instance: WorkflowInstance, event: Report, context: Context) -> Transition:
    """Return what a worker's (or the dispatcher's) report changes.

    Raises:
        DropEvent: It changes nothing.
        AheadOfMemory: Reload first.
        IllegalTransition: The edge table forbids it.
    """
    match event:
        case TaskDispatched():
            return report.handle_dispatched(instance, event, context)
        case TaskDelayed():
            return report.handle_delayed(instance, event, context)
        case TaskRunning():
            return report.handle_running(instance, event, context)
        case TaskResult():
            return report.handle_result(instance, event, context)
        case WorkerReject():
            return report.handle_reject(instance, event, context)
        case _:
            assert_never(event)


def decide_command(  # noqa: C901, PLR0911, PLR0912  one arm a command
    instance: WorkflowInstance, command: Command, context: Context
) -> Transition:
    """Return what a command changes.

    Raises:
        RepeatedEvent: It is already so.
        Conflict: It does not fit the run's state and never will.
    """
    match command.kind:
        case CommandKind.START:
            return control.handle_start(instance, command, context)
        case CommandKind.WAKE:
            return control.handle_wake(instance, command, context)
        case CommandKind.PAUSE:
            return control.handle_pause(instance, command, context)
        case CommandKind.RESUME:
            return control.handle_resume(instance, command, context)
        case CommandKind.STOP:
            return control.handle_stop(instance, command, context)
        case CommandKind.SIGNAL:
            return logic.handle_signal(instance, command.body, context)
        case CommandKind.RECOVER:
            return again.handle_recover(instance, command, context)
        case CommandKind.RERUN:
            return again.handle_rerun(instance, command, context)
        case CommandKind.FORCE_SUCCESS:
            return again.handle_force_success(instance, command, context)
        case CommandKind.CHILD_CHANGED:
            return child.handle_child_changed(instance, command.body, context)
        case CommandKind.GRANTED:
            return pool.handle_granted(instance, command.body, context)
        case CommandKind.PASS_ON:
            return child.handle_pass_on(instance, command.body, context)
        case _:
            assert_never(command.kind)


def decide_notice(instance: WorkflowInstance, item: Notice, context: Context) -> Transition:  # noqa: C901, PLR0911, PLR0912  one arm a notice
    """Return what a notice of the master's own machinery changes.

    Raises:
        RepeatedEvent: What it speaks of is over.
    """
    match item:
        case AttemptDue():
            return notice.handle_attempt_due(instance, item, context)
        case AttemptTimeout():
            return notice.handle_attempt_timeout(instance, item, context)
        case QueueTimeout():
            return notice.handle_queue_timeout(instance, item, context)
        case AttemptLost():
            return notice.handle_attempt_lost(instance, item, context)
        case RecallWon():
            return notice.handle_recall_won(instance, item, context)
        case RecallLost():
            return notice.handle_recall_lost(instance, item, context)
        case Unsubmittable():
            return notice.handle_unsubmittable(instance, item, context)
        case Judged() | Looked() | ChildReady() | Spread() | Gathered() | Withdrawn():
            return _decide_logic(instance, item, context)
        case CacheLooked():
            return cache.handle_cache_looked(instance, item, context)
        case Unserved():
            return pool.handle_unserved(instance, item, context)
        case Served():
            return pool.handle_served(instance, item, context)
        case RunTimeout():
            return notice.handle_run_timeout(instance, item, context)
        case Continue():
            return notice.handle_continue(instance, item, context)
        case CannotStart():
            return notice.handle_cannot_start(instance, item, context)
        case _:
            assert_never(item)


def _decide_logic(
    instance: WorkflowInstance,
    item: Judged | Looked | ChildReady | Spread | Gathered | Withdrawn,
    context: Context,
) -> Transition:
    match item:
        case Judged():
            return logic.handle_judged(instance, item, context)
        case Looked():
            return logic.handle_looked(instance, item, context)
        case ChildReady():
            return child.handle_child_ready(instance, item, context)
        case Spread():
            return spread.handle_spread(instance, item, context)
        case Gathered():
            return spread.handle_gathered(instance, item, context)
        case Withdrawn():
            return logic.handle_withdrawn(instance, item, context)
        case _:
            assert_never(item)
