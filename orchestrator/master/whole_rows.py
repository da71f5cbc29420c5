"""Owns that no row is written without its outputs: values that memory does not keep are fetched first."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from orchestrator.core.changes import Changes, InstanceChange, Leases
from orchestrator.core.instance import TaskInstance
from orchestrator.core.outputs import StoredOutputs
from orchestrator.errors import RevisionLost
from orchestrator.master.lanes import AttemptKey
from orchestrator.master.outside import Committer


class OutputSource(Protocol):
    """Where the values of outputs stand."""

    def outputs(self, keys: Iterable[AttemptKey]) -> Mapping[AttemptKey, Mapping[str, Any]]:
        """Return the outputs of single attempts."""
        ...


class WholeRows:
    """A committer that writes full rows of attempts whose outputs memory has let go of.

    Mostly there is none: an attempt that has ended is written again only when it stops being the current one.

    Args:
        committer: Writes.
        source: Has the values.
    """

    def __init__(self, committer: Committer, source: OutputSource) -> None:
        self._committer = committer
        self._source = source

    def commit(self, changes: Changes, leases: Leases) -> datetime:
        """Commit as `Committer` says; every changed row has its outputs.

        Raises:
            RevisionLost: There is no such row any more; nothing was written.
            StoreUnavailable: The database is away; nothing was written.
        """
        lean = [row.key for one in changes.instances for row in one.changed if _is_lean(row)]
        if lean:
            values = self._source.outputs(lean)
            missing = {key[0] for key in lean if key not in values}
            if missing:
                raise RevisionLost(missing)
            changes = replace(changes, instances=tuple(_filled(one, values) for one in changes.instances))
        return self._committer.commit(changes, leases)


def _filled(change: InstanceChange, values: Mapping[AttemptKey, Mapping[str, Any]]) -> InstanceChange:
    changed = (replace(row, outputs=values[row.key]) if _is_lean(row) else row for row in change.changed)
    return replace(change, changed=tuple(changed))


def _is_lean(row: TaskInstance) -> bool:
    return isinstance(row.outputs, StoredOutputs)
