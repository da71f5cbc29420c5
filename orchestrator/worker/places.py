"""Owns where the files of one worker lie: its spool, its lock, its board, and what its attempts write."""

from urllib.parse import quote

from orchestrator.config import Settings


class Places:
    """The files of one worker name.

    Args:
        settings: Names the home.
        worker: The worker's name.
    """

    def __init__(self, settings: Settings, worker: str) -> None:
        name = quote(worker, safe="@")
        self.spool = settings.spools / f"{name}.db"
        self.lock = settings.spools / f"{name}.lock"
        self.board = settings.spools / f"{name}.board"
        self.scratch = settings.home / "work" / name
