"""Owns the mutants that no simulation notices: others hold what each lets go, or it comes too rarely."""

from tests.simulation.mutant_master import CHECK
from tests.simulation.mutant_patch import Mutant

SURVIVORS = (
    Mutant(
        name="no-fence",
        breaks="a commit does not look whether the leases are still its own",
        target="orchestrator.store.commit:fence",
        old="    if lost:\n        raise LeaseLost(lost)\n",
        new="",
        caught_by=None,
    ),
    Mutant(
        name="no-revision-guard",
        breaks="a run that moved on in the database is overwritten all the same",
        target="orchestrator.store.commit:_write_instances",
        old="    if missing:\n        raise RevisionLost(missing)\n    changed",
        new="    changed",
        caught_by=None,
    ),
    Mutant(
        name="in-doubt-is-failed",
        breaks="after a COMMIT without reply the runs are not loaded again",
        target="orchestrator.master.loop:Loop._failed",
        old="batch.touched if isinstance(error, CommitInDoubt) else ()",
        new="()",
        caught_by=None,
    ),
    Mutant(
        name="no-owner",
        breaks="a report counts whoever makes it",
        target=CHECK,
        old="if attempt.incarnation is not None and",
        new="if False and",
        caught_by=None,
    ),
    Mutant(
        name="ahead-is-unknown",
        breaks="a report that memory is behind of is dropped instead of loading the run again",
        target="orchestrator.master.batch:Batch._put_off",
        old="isinstance(item, ReportItem) and item.reloaded",
        new="True",
        caught_by=None,
    ),
    Mutant(
        name="late-messages-not-barred",
        breaks="the claim of a hand-over that ended unclaimed is left open",
        target="orchestrator.master.messenger:Messenger._bar_what_went_before",
        old="if before:",
        new="if False:",
        caught_by=None,
    ),
    Mutant(
        name="new-generation-recalls-nothing",
        breaks="after a wipe of Redis what was published is not recalled",
        target="orchestrator.master.reaper:Reaper._after_new_generation",
        old="self._desk.messenger.recall(hand_over_of(attempt))",
        new="pass",
        caught_by=None,
    ),
    Mutant(
        name="stale-ends-nothing",
        breaks="a worker that hears `stale` lets the attempt run on",
        target="orchestrator.worker.receiver:Receiver._object",
        old="self._enforcer.end(event.order_id, STALE)",
        new="pass",
        caught_by=None,
    ),
    Mutant(
        name="takeover-leaves-pending-entries",
        breaks="what a dead master had read stays with it",
        target="orchestrator.master.reader:Reader._step",
        old="        self._source.claim_pending(self._slots)\n",
        new="",
        caught_by=None,
    ),
)
