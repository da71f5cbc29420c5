"""Owns the mutants of what survives Redis' forgetting: generations, and the heartbeats that claim again."""

from tests.simulation.mutant_commit import O7
from tests.simulation.mutant_patch import Mutant
from tests.simulation.mutant_protocol import CLAIMS

GENERATION_CHECKS = """\
if known[1] ~= ARGV[2] then return {'OLD_GENERATION'} end
-- a Redis that restarted may have forgotten claims; until a master has noticed, nothing starts
local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
if run_id and run_id ~= known[2] then return {'OLD_GENERATION'} end
"""

MEMORY_MUTANTS = (
    Mutant(
        name="no-generation",
        breaks="a message from before a wipe, restart or older copy of Redis may start",
        target=f"{CLAIMS}:CLAIM",
        old=GENERATION_CHECKS,
        new="",
        caught_by=67,
    ),
    Mutant(
        name="no-generation-check",
        breaks="a message from before a wipe of Redis may start",
        target=f"{CLAIMS}:CLAIM",
        old="if known[1] ~= ARGV[2] then return {'OLD_GENERATION'} end",
        new="",
        caught_by=119,
    ),
    Mutant(
        name="no-restart-check",
        breaks="after a restart of Redis messages start before a master has noticed",
        target=f"{CLAIMS}:CLAIM",
        old="if run_id and run_id ~= known[2] then return {'OLD_GENERATION'} end",
        new="",
        caught_by=67,
    ),
    Mutant(
        name="heartbeat-lists-nothing",
        breaks="heartbeats do not say what the worker runs",
        target="orchestrator.worker.heartbeat:Heartbeat._beat",
        old="running=tuple(self._spool.claimed()),",
        new="running=(),",
        caught_by=25,
        provokes=O7,
    ),
    Mutant(
        name="heartbeat-lists-running-only",
        breaks="heartbeats leave out what has ended and has no verdict yet",
        target="orchestrator.worker.spool:Spool.claimed",
        old=" UNION SELECT order_id FROM event WHERE claimed",
        new="",
        caught_by=68,
    ),
)
