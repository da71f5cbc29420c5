"""Owns the mutants of what lies between master and worker: claims, generations, recalls, spool, heartbeat."""

from tests.simulation.mutant_patch import Mutant

CLAIMS = "orchestrator.broker.claims"
RESENDER = "orchestrator.worker.resender:Resender"

PROTOCOL_MUTANTS = (
    Mutant(
        name="claim-without-nonce",
        breaks="a second delivery to the same worker is taken for the first one",
        target=f"{CLAIMS}:Claims.ask",
        old='f"{holder}|{nonce}"',
        new='f"{holder}|"',
        caught_by=12,
    ),
    Mutant(
        name="claim-by-force",
        breaks="a claim is set although somebody holds it",
        target=f"{CLAIMS}:CLAIM",
        old="if held and held ~= ARGV[1] then return {'TAKEN', held} end",
        new="",
        caught_by=12,
    ),
    Mutant(
        name="recall-by-force",
        breaks="a recall takes a claim that a worker holds",
        target=f"{CLAIMS}:RECALL",
        old="'NX', 'GET', 'PX', ARGV[2]) or ARGV[1]",
        new="'PX', ARGV[2]) and ARGV[1]",
        caught_by=94,
    ),
    Mutant(
        name="recall-guesses",
        breaks="a recall counts as won whoever holds the claim",
        target="orchestrator.master.messenger:_answer",
        old="if answer.won:",
        new="if True:",
        caught_by=98,
    ),
    Mutant(
        name="spool-deleted-on-send",
        breaks="a report is forgotten as soon as it stands in the stream",
        target="orchestrator.worker.reporter:Reporter._send",
        old="self._spool.sent(spool_id, entry)",
        new="self._spool.settle([spool_id])",
        caught_by=110,
    ),
    Mutant(
        name="inherited-spool-thrown-away",
        breaks="a starting worker forgets the reports that its predecessor left",
        target=f"{RESENDER}.announce",
        old="self._send_missing(self._spool.inherited())",
        new="self._spool.settle([one.spool_id for one in self._spool.inherited()])",
        caught_by=31,
    ),
    Mutant(
        name="no-resend",
        breaks="a report without a verdict is never sent again",
        target=f"{RESENDER}.resend",
        old="self._send_missing(self._spool.events(up_to=self._looked_at))",
        new="pass",
        caught_by=20,
    ),
    Mutant(
        name="online-before-reports",
        breaks="a worker says ONLINE before it sends what its predecessor left",
        target=f"{RESENDER}.announce",
        old="    self._send_missing(self._spool.inherited())\n",
        new="",
        caught_by=31,
    ),
)
