"""Owns taking a batch apart that failed for a reason of its own: lane by lane, each can be tried alone (R7)."""

from collections.abc import Callable, Iterable, Iterator

from orchestrator.master.items import InstanceItem, Item, NoticeItem, OnlineItem, WakeItem

Losses = Callable[[OnlineItem], Iterable[NoticeItem]]
"""Says what an ONLINE means."""


def by_lane(items: Iterable[Item], losses: Losses) -> dict[int | None, list[Item]]:
    """Return the items by the workflow instance that they speak of; under `None` those that speak of none."""
    lanes: dict[int | None, list[Item]] = {}
    for item in _apart(items, losses):
        number = item.workflow_instance_id if isinstance(item, InstanceItem) else None
        lanes.setdefault(number, []).append(item)
    return lanes


def _apart(items: Iterable[Item], losses: Losses) -> Iterator[Item]:
    """Yield items that speak of one lane or of none: an ONLINE as the losses it means, and its entry."""
    for item in items:
        if isinstance(item, OnlineItem):
            yield from losses(item)
            yield WakeItem(item.entry)
        else:
            yield item
