"""Owns the write set of one group commit, as plain values between the loop and the store."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.core.cache import CacheEntry
from orchestrator.core.command import Alert, Mail
from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.pool import PoolPlace
from orchestrator.core.serial import Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceChange:
    """What one batch changed of one workflow instance.

    Attributes:
        revision: The revision memory was based on; the commit makes it one more or fails.
        new: Attempts that have no row yet.
        changed: Attempts whose row must exist and is overwritten.
        withdrawn: Attempts whose row must be the current one of its task, and is from now on only kept.
    """

    head: Head
    revision: int
    new: tuple[TaskInstance, ...] = ()
    changed: tuple[TaskInstance, ...] = ()
    withdrawn: tuple[TaskInstance, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Leases:
    """The slots a batch speaks for: slot to epoch, under one owner."""

    owner: str
    epochs: Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Everything one transaction writes.

    Attributes:
        done_commands: Ids of the commands that were applied; their rows are deleted.
        children: New runs: each gets its row and its START.
        turns: What runs did about their turns; who is next is settled in the same transaction.
        cached: Outputs that are kept for later runs.
        failed_commands: Command id to reason: they can never succeed and move to `error_command`.
        released: Attempts that have left a pool; these come first.
        lined_up: Attempts that stand in the line of a pool, some of which thereby get a slot.
    """

    instances: tuple[InstanceChange, ...] = ()
    done_commands: tuple[int, ...] = ()
    failed_commands: Mapping[int, str] = field(default_factory=dict)
    mail: tuple[Mail, ...] = ()
    children: tuple[Head, ...] = ()
    alerts: tuple[Alert, ...] = ()
    released: tuple[PoolPlace, ...] = ()
    lined_up: tuple[PoolPlace, ...] = ()
    turns: tuple[Turn, ...] = ()
    cached: tuple[CacheEntry, ...] = ()
