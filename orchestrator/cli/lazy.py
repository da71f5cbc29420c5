"""Owns the command group that loads a command's module only when the command is used."""

import gc
import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
            command = _load(self._entries[name].target)
        return name, command, rest


def _load(target: str) -> click.Command:
    """Return the command that stands at `module:attribute`."""
    module, _, attribute = target.partition(":")
    if module not in sys.modules:
        with _collector_at_rest():
            importlib.import_module(module)
    command: click.Command = getattr(sys.modules[module], attribute)
    return command


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Look for no garbage where next to none is made, nor among it later: imports are a sixth faster.

    What is imported stays as long as the program; a collector that was off before stays off.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
