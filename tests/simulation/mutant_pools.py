"""Owns the mutants of pools: slots that are not given back, given out twice, or before their task may go."""

from tests.simulation.mutant_patch import Mutant

POOL_SLOTS = "orchestrator.store.pool_slots"

POOL_MUTANTS = (
    Mutant(
        name="slot-is-kept",
        breaks="who leaves a pool keeps the slot",
        target=f"{POOL_SLOTS}:move",
        old="forget(connection, pool_slot, gone)",
        new="pass",
        caught_by=8,
    ),
    Mutant(
        name="place-is-kept",
        breaks="who leaves a pool stays in its line",
        target=f"{POOL_SLOTS}:move",
        old="forget(connection, pool_place, gone)",
        new="pass",
        caught_by=98,
    ),
    Mutant(
        name="slots-are-not-counted",
        breaks="what is taken does not count against what is given out",
        target=f"{POOL_SLOTS}:grant",
        old="free = slots - len(taken)",
        new="free = slots",
        caught_by=33,
    ),
    Mutant(
        name="grant-is-not-told",
        breaks="who is given a slot has no mail",
        target=f"{POOL_SLOTS}:grant",
        old="tell(connection, granted, now)",
        new="pass",
        caught_by=8,
    ),
    Mutant(
        name="pool-is-not-asked",
        breaks="who waits for a slot is dispatched all the same",
        target="orchestrator.core.wants:_wants_handed_over",
        old="return Withdraw() if held else None",
        new="return Withdraw() if held else Dispatch()",
        caught_by=15,
    ),
)
