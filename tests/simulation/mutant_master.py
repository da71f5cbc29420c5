"""Owns the mutants of the master beside its commit: tokens, counting, timers, takeover, reading."""

from tests.simulation.mutant_patch import Mutant

CHECK = "orchestrator.core.handlers.token:check_event"
REPORT = "orchestrator.core.handlers.report"

MASTER_MUTANTS = (
    Mutant(
        name="no-token",
        breaks="a report of an older attempt or dispatch counts",
        target=CHECK,
        old="if event.token < attempt.token:\n"
        '        raise StaleEvent(f"{event.task}: {event.token} is behind {attempt.token}")\n'
        "    if event.ticket != attempt.ticket:\n",
        new="if event.token == attempt.token and event.ticket != attempt.ticket:\n",
        caught_by=25,
    ),
    Mutant(
        name="reject-keeps-the-dispatch",
        breaks="what a worker gave back goes out under the same number",
        target=f"{REPORT}:handle_reject",
        old="**next_dispatch(attempt, context),",
        new='**{**next_dispatch(attempt, context), "dispatch": attempt.dispatch},',
        caught_by=3,
    ),
    Mutant(
        name="recall-keeps-the-dispatch",
        breaks="what a master took back goes out under the same number",
        target="orchestrator.core.handlers.notice:handle_recall_won",
        old="**next_dispatch(attempt, context))",
        new='**{**next_dispatch(attempt, context), "dispatch": attempt.dispatch})',
        caught_by=4,
    ),
    Mutant(
        name="loss-uses-up-a-retry",
        breaks="a lost attempt counts as a failed one",
        target=f"{REPORT}:lose",
        old="TaskState.LOST, **counted)",
        new="TaskState.LOST, failures=attempt.failures + 1, **counted)",
        caught_by=1,
    ),
    Mutant(
        name="retry-counted-twice",
        breaks="a failure uses up two retries",
        target=f"{REPORT}:fail",
        old="failures=ended.failures + 1",
        new="failures=ended.failures + 2",
        caught_by=1,
    ),
    Mutant(
        name="no-retry-delay",
        breaks="a retry does not wait",
        target="orchestrator.core.retry:retry_delay_s",
        old="    return backoff_s(",
        new="    return 0.0 * backoff_s(",
        caught_by=1,
    ),
    Mutant(
        name="no-delay",
        breaks="a task's delay is not waited for",
        target="orchestrator.core.convergence:_first_attempt",
        old="waits = definition.delay_s and",
        new="waits = False and",
        caught_by=1,
    ),
    Mutant(
        name="no-deferral-time",
        breaks="a deferral is over at once",
        target=f"{REPORT}:handle_delayed",
        old="draft.due(max(event.seconds, 0.0))",
        new="draft.due(0.0)",
        caught_by=1,
    ),
    Mutant(
        name="bury-keeps-nothing",
        breaks="what cannot be read is thrown away",
        target="orchestrator.broker.deadletters:DeadLetters.bury",
        old="    with redis_errors():\n",
        new="    return ''\n    with redis_errors():\n",
        caught_by=100,
    ),
    Mutant(
        name="accuse-without-reading",
        breaks="silence is held against a worker although not all that was said has been read",
        target="orchestrator.master.silence:Silence.may_accuse",
        old="return read >= due and calm_s >= max(self._resend_s, grace_s)",
        new="return True",
        caught_by=14,
    ),
    Mutant(
        name="takeover-forgets-timers",
        breaks="a master that takes over does not wait for what is to be woken later",
        target="orchestrator.master.effects:Effects.arm",
        old="        self.enact(instance, attempt)\n",
        new="        if attempt.state is TaskState.SUBMITTED:\n            self.enact(instance, attempt)\n",
        caught_by=115,
    ),
    Mutant(
        name="takeover-leaves-pending-entries",
        breaks="what a dead master had read stays with it",
        target="orchestrator.master.reader:Reader._step",
        old="        self._source.claim_pending(self._slots)\n",
        new="",
        caught_by=241,
    ),
    Mutant(
        name="reader-goes-on-after-an-error",
        breaks="after an error the reader does not begin at its own pending entries",
        target="orchestrator.master.reader:Reader.step",
        old="        self._prepared = False\n",
        new="",
        caught_by=19,
    ),
    Mutant(
        name="groups-begin-at-the-end",
        breaks="what stands in a stream when its group is made is never read",
        target="orchestrator.broker.stream:EventStream.ensure_groups",
        old='id="0"',
        new='id="$"',
        caught_by=1,
    ),
    Mutant(
        name="no-ticket",
        breaks="a report counts that does not show the ticket of its dispatch",
        target=CHECK,
        old="if event.ticket != attempt.ticket:",
        new="if False:",
        caught_by=34,
    ),
    Mutant(
        name="timers-before-reports",
        breaks="in a batch, what is due comes before what was reported",
        target="orchestrator.master.intake:Intake.take",
        old="items.extend(self._take_due())",
        new="items[:0] = self._take_due()",
        caught_by=207,
    ),
)
