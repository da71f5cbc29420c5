"""Owns the command group that loads a command's module only when the command is used."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import rich_click as click


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One command: where it stands, and its line in the overview.

    Attributes:
        target: `module:attribute` of the click command.
        summary: Its line in `orchestrator --help`.
        hidden: Not shown; for the set-up's own use.
    """

    target: str
    summary: str
    hidden: bool = False


class LazyGroup(click.RichGroup):
    """A group whose overview needs no command's module.

    Celery loads this group in every one of its own programs, so it must cost next to nothing.
    """

    def __init__(self, *args: Any, entries: Mapping[str, Entry], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._entries = dict(entries)
        for name, entry in entries.items():
            self.add_command(click.RichCommand(name=name, short_help=entry.summary, hidden=entry.hidden))

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the catalogue, not of the alphabet."""
        del ctx
        return list(self._entries)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Load the real command in place of its line in the overview."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in self._entries:
            module, _, attribute = self._entries[name].target.partition(":")
            command = getattr(importlib.import_module(module), attribute)
        return name, command, rest
