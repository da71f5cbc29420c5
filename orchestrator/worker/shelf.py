"""Owns the shelf of unpacked bundles: who uses which, and which go because nobody has used them for long.

Each directory has a file `HASH.used` beside it. An attempt holds a shared lock on it as long as it runs, and
stamps it with the time; whoever deletes takes the lock alone: nothing is deleted under an attempt of any process.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

USED, VERSION = ".used", ".version"
DAY_S = 86_400


class Shelf:
    """Holds unpacked bundles.

    Args:
        directory: Where they are; other processes of this machine have the same.
        keep_days: How long one stays that nobody uses; 0: for ever.
        clock: Seconds as file times count them.
    """

    def __init__(self, directory: Path, keep_days: float, clock: Callable[[], float] = time.time) -> None:
        self._directory = directory
        self._keep_s = keep_days * DAY_S
        self._clock = clock

    def path(self, content: str) -> Path:
        """Return where the bundle with this hash is, or will be."""
        return self._directory / content

    def has(self, path: Path) -> bool:
        """Return whether a directory stands on this shelf."""
        return path.parent == self._directory

    @contextmanager
    def using(self, path: Path) -> Iterator[None]:
        """Keep a directory of this shelf from being deleted; whether it still was there is the caller's to ask."""
        with _locked(path.with_name(path.name + USED), fcntl.LOCK_SH) as stamp:
            self._stamp(stamp)
            try:
                yield
            finally:
                self._stamp(stamp)

    @contextmanager
    def alone(self, version: str) -> Iterator[Path]:
        """Let one process at a time look after an archive; the file that is given holds its content's hash."""
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / (version + VERSION)
        with _locked(path, fcntl.LOCK_EX):
            yield path

    def put(self, files: Path, content: str) -> Path:
        """Give unpacked files their place, all at once; harmless where they have it already."""
        target = self.path(content)
        try:
            files.rename(target)
        except OSError:
            if not target.is_dir():
                raise
        return target

    def sweep(self, scratch: Path) -> list[str]:
        """Delete what nobody has used for so long, and return the hashes.

        Args:
            scratch: An own directory on the same file system, from which the caller deletes what is left.
        """
        if not self._keep_s or not self._directory.is_dir():
            return []
        old = [path for path in self._directory.iterdir() if path.is_dir() and self._take_away(path, scratch)]
        for path in old:
            shutil.rmtree(scratch / path.name, ignore_errors=True)
        self._forget_versions()
        return sorted(path.name for path in old)

    def _take_away(self, path: Path, scratch: Path) -> bool:
        stamp = path.with_name(path.name + USED)
        is_new = not stamp.exists()  # of an earlier release: its time begins now
        with (
            suppress(BlockingIOError, FileNotFoundError),
            _locked(stamp, fcntl.LOCK_EX | fcntl.LOCK_NB) as held,
        ):
            if is_new:
                self._stamp(held)
            elif self._clock() - os.fstat(held).st_mtime >= self._keep_s:
                path.rename(scratch / path.name)
                stamp.unlink()
                return True
        return False

    def _forget_versions(self) -> None:
        """Delete the notes about archives whose content is gone."""
        for note in self._directory.glob("*" + VERSION):
            with suppress(BlockingIOError), _locked(note, fcntl.LOCK_EX | fcntl.LOCK_NB):
                if not self.path(note.read_text() or "-").is_dir():
                    note.unlink()

    def _stamp(self, descriptor: int) -> None:
        os.utime(descriptor, (self._clock(), self._clock()))


@contextmanager
def _locked(path: Path, how: int) -> Iterator[int]:
    """Hold a lock on the file that has this name: one that was deleted meanwhile counts for nothing."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, how)
            if _is_named(descriptor, path):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _is_named(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
