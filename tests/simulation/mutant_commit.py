"""Owns the mutants of the group commit: what is undone, what is one transaction, what comes before what."""

from tests.simulation.mutant_patch import Mutant

HANDLE = "orchestrator.master.loop:Loop._handle"
COMMIT_OF_LOOP = (
    "        now = self._outside.committer.commit(batch.changes(), self._leases_of(batch.slots))\n"
)
O7 = "O7"
"""Memory is compared with the rows between two turns of the loop; a patch that waits in the middle spoils that."""

COMMIT = "orchestrator.store.commit:GroupCommit._commit_in_steps"

COMMIT_MUTANTS = (
    Mutant(
        name="acknowledge-duplicate-at-once",
        breaks="what changes nothing is acknowledged before the transaction",
        target=HANDLE,
        old=COMMIT_OF_LOOP,
        new="        known = [one for one, _ in batch.dropped if isinstance(one, ReportItem) and one.entry]\n"
        "        self._outside.acknowledger.acknowledge([(one.entry, 'ok') for one in known])\n"
        + COMMIT_OF_LOOP,
        caught_by=400,
        provokes=O7,
    ),
    Mutant(
        name="inverse-in-wrong-order",
        breaks="the oldest change is undone first",
        target="orchestrator.master.batch:Batch.undo",
        old="self._undo.pop()",
        new="self._undo.pop(0)",
        caught_by=349,
    ),
    Mutant(
        name="acknowledge-before-commit",
        breaks="workers are acknowledged before the transaction",
        target=HANDLE,
        old=COMMIT_OF_LOOP,
        new="        self._acknowledge(batch)\n" + COMMIT_OF_LOOP,
        caught_by=2,
        provokes=O7,
    ),
    Mutant(
        name="effects-before-commit",
        breaks="what the rows ask for is done before they are committed",
        target=HANDLE,
        old=COMMIT_OF_LOOP,
        new="        for touched in batch.touched.values():\n"
        "            self._crew.aftermath.follow(touched)\n"
        "        self._crew.dispatcher.step()\n" + COMMIT_OF_LOOP,
        caught_by=41,
    ),
    Mutant(
        name="no-inverse",
        breaks="a batch that failed stays in memory",
        target="orchestrator.master.batch:Batch.undo",
        old="        instance.apply(inverse)\n",
        new="",
        caught_by=20,
    ),
    Mutant(
        name="decide-on-old-state",
        breaks="each report is decided on what the run was before its batch",
        target="orchestrator.master.batch:Batch._decide",
        old="            transition = decide_report(instance, item.event, self._context)\n",
        new="            behind = [one for one in reversed(self._undo) if one[0] is instance]\n"
        "            ahead = [instance.apply(inverse) for _, inverse in behind]\n"
        "            try:\n"
        "                transition = decide_report(instance, item.event, self._context)\n"
        "            finally:\n"
        "                for one in reversed(ahead):\n"
        "                    instance.apply(one)\n",
        caught_by=1,
    ),
    Mutant(
        name="drop-instead-of-retry",
        breaks="what was in a batch when the database went away is forgotten",
        target="orchestrator.master.loop:Loop._failed",
        old="self._put_back([*self._crew.aftermath.reload(in_doubt, suspect=True), *items])",
        new="self._put_back(self._crew.aftermath.reload(in_doubt, suspect=True))",
        caught_by=1,
    ),
    Mutant(
        name="alert-outside-the-transaction",
        breaks="alerts are written by a transaction of their own, after the other",
        target=COMMIT,
        old="        write_outbox(connection, changes.alerts, now)\n"
        "        write_entries(connection, changes.cached, now)\n"
        "        _move_in_pools(connection, changes, now)\n"
        "        one_call.remember(connection)\n"
        '        crash_point("store.after_flush")\n'
        "    return now\n",
        new="        write_entries(connection, changes.cached, now)\n"
        "        _move_in_pools(connection, changes, now)\n"
        '        crash_point("store.after_flush")\n'
        '    crash_point("store.after_commit")\n'
        "    with writing(self._engine) as connection:\n"
        "        write_outbox(connection, changes.alerts, now)\n"
        "    return now\n",
        caught_by=410,
    ),
    Mutant(
        name="command-applied-twice",
        breaks="what a commit in doubt had applied is applied again",
        target="orchestrator.store.commit:_end_commands",
        old="if gone:",
        new="if False:",
        caught_by=150,
    ),
    Mutant(
        name="start-deleted-too-early",
        breaks="commands are deleted by a transaction of their own, before the other",
        target=COMMIT,
        old="    with writing(self._engine) as connection:\n"
        "        now = _write_rows(connection, changes.instances, leases)\n"
        "        _end_commands(connection, changes, now)\n",
        new="    with writing(self._engine) as connection:\n"
        "        _end_commands(connection, changes, clock.database_now(connection))\n"
        "    with writing(self._engine) as connection:\n"
        "        now = _write_rows(connection, changes.instances, leases)\n",
        caught_by=31,
    ),
    Mutant(
        name="in-doubt-is-success",
        breaks="a COMMIT without reply counts as done",
        target="orchestrator.store.session:writing",
        old="            _abandon(connection)\n            raise\n",
        new="            _abandon(connection)\n",
        caught_by=1,
    ),
)
