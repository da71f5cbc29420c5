"""Owns the look at children: mail says that one has changed, the database says how it stands."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from orchestrator.core.command import Command, CommandKind
from orchestrator.master.items import CommandItem, Item
from orchestrator.store.children import ChildStanding


class StandingSource(Protocol):
    """Knows how runs stand."""

    def standings(self, ids: Collection[int]) -> Mapping[int, ChildStanding]:
        """Return how these runs stand, with outputs; those that do not exist are missing."""
        ...


class Standings:
    """Runs in the loop's thread.

    Args:
        source: The database.
    """

    def __init__(self, source: StandingSource) -> None:
        self._source = source

    def filled(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return the items of a turn, mail about children with what the database says of them now.

        Raises:
            StoreUnavailable: The database is away.
        """
        asked = {number for item in items if (number := _child_of(item)) is not None}
        if not asked:
            return items
        found = self._source.standings(asked)
        return [item if _child_of(item) is None else _with_standing(item, found) for item in items]


def _child_of(item: Item) -> int | None:
    if isinstance(item, CommandItem) and item.command.kind is CommandKind.CHILD_CHANGED:
        child = item.command.body.get("child")
        return child if isinstance(child, int) else None
    return None


def _with_standing(item: Item, found: Mapping[int, ChildStanding]) -> Item:
    if not isinstance(item, CommandItem):
        return item
    standing = found.get(item.command.body["child"])
    said = {} if standing is None else _said(standing)
    return CommandItem(_with_body(item.command, {**item.command.body, **said}))


def _with_body(command: Command, body: Mapping[str, Any]) -> Command:
    return replace(command, body=body)


def _said(standing: ChildStanding) -> dict[str, Any]:
    return {
        "state": standing.state,
        "reason": standing.reason,
        "outputs": standing.outputs,
        "fault": standing.fault,
        "is_to_recover": standing.is_to_recover,
    }
