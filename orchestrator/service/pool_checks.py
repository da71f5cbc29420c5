"""Owns the doctor's check of pools: how full they are, which give out nothing, and what had to be repaired."""

from collections.abc import Iterator

from orchestrator.service.backend import Backend
from orchestrator.service.findings import Finding, error, fine, warning
from orchestrator.service.pools import MAKE
from orchestrator.service.wording import counted, waiting
from orchestrator.store.pools import StoredPool


def check_pools(backend: Backend) -> Iterator[Finding]:
    """What each pool has and gives out, and whether its rows fit those of the tasks."""
    pools = backend.pools.list()
    for one in pools:
        yield _standing(one)
        if one.repaired:
            yield warning(
                "pools",
                f"'{one.name}': {one.repaired} rows were wrong and have been put right: nothing is lost, but there"
                " is a bug",
                "please report it, with the masters' log lines 'pool.repaired'",
            )
    for name in backend.pools.suspects():
        yield error("pools", f"'{name}': rows are wrong, or a free slot is not given out", START)
    if not pools:
        yield fine("pools", "there is none")


START = "a master puts it right within seconds: orchestrator master (or: orchestrator up)"


def _standing(one: StoredPool) -> Finding:
    if one.slots is None:
        return error(
            "pools",
            f"{waiting(one.waiting)} for '{one.name}', which does not exist",
            MAKE.format(name=one.name),
        )
    text = f"'{one.name}': {one.taken} of {counted(one.slots, 'slot')} taken, {waiting(one.waiting)}"
    if one.slots == 0 and one.waiting:
        return warning("pools", text, f"orchestrator pools set {one.name} SLOTS")
    return fine("pools", text)
