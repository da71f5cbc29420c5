"""Owns bundles: directories of files that tasks run in, found by name; archives are unpacked once, by content."""

import gzip
import hashlib
import lzma
import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import structlog

from orchestrator.worker.executors.port import TaskFailure, UnknownBundle
from orchestrator.worker.shelf import Shelf

log = structlog.get_logger(__name__)

CHUNK = 1 << 20
UNREADABLE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)

State = tuple[str, int, int, int]
"""Path, inode, size and time of change: whoever has the same is the same file."""


class Bundles:
    """Finds the directory of a bundle.

    Args:
        directory: Holds `NAME`, `NAME.zip` or `NAME.tar.gz`.
        shelf: Where archives are unpacked, each in a directory named by the hash of its content.
        scratch: For what is half unpacked, on the same file system; a new worker finds it empty.
    """

    def __init__(self, directory: Path, shelf: Shelf, scratch: Path) -> None:
        self._directory = directory
        self._shelf = shelf
        self._scratch = scratch
        self._known: dict[State, Path] = {}
        self._has_unpacked = False

    @contextmanager
    def using(self, name: str) -> Iterator[Path]:
        """Give the directory of the bundle `name`, which stays as long as the context is open.

        Raises:
            UnknownBundle, TaskFailure, OSError: As `find`.
        """
        while True:
            path = self.find(name)
            if not self._shelf.has(path):
                yield path
                return
            with self._shelf.using(path):
                if path.is_dir():  # else it was just deleted: it is unpacked again
                    yield path
                    break
        if self._has_unpacked:  # a new version has come: time to look after the old ones
            self._has_unpacked = False
            self._sweep()

    def find(self, name: str) -> Path:
        """Return the directory of the bundle `name`; it stays as it is, whatever becomes of the archive.

        Raises:
            UnknownBundle: This worker does not have it; the message says where it looks.
            TaskFailure: The archive cannot be read, or a member of it would land outside of the directory.
            OSError: It cannot be unpacked here.
        """
        if not name:
            raise UnknownBundle("a bundle without a name; write bundle: NAME, or leave it out, on worker")
        plain = self._directory / name
        if name == ".." or PurePosixPath(name).name != name:  # of an order that nobody has validated
            raise self._unknown(name)
        if plain.is_dir():
            return plain
        for suffix, unpack in (("zip", _unzip), ("tar.gz", _untar)):
            try:
                with (self._directory / f"{name}.{suffix}").open("rb") as archive:
                    return self._unpack(archive, name, unpack)
            except FileNotFoundError:
                continue
        raise self._unknown(name)

    def _unknown(self, name: str) -> UnknownBundle:
        return UnknownBundle(
            f"bundle '{name}': no directory {name}, {name}.zip or {name}.tar.gz in {self._directory}"
            " (ORCHESTRATOR_BUNDLES) of the worker"
        )

    def _unpack(self, archive: BinaryIO, name: str, unpack: Callable[[Path, Path], None]) -> Path:
        found = os.fstat(archive.fileno())
        state = (archive.name, found.st_ino, found.st_size, found.st_mtime_ns)
        known = self._known.get(state)
        if known is not None and known.is_dir():
            return known
        version = hashlib.sha256(repr(state).encode()).hexdigest()
        with self._shelf.alone(version) as note:  # the other children wait instead of copying it, too
            target = self._shelf.path(note.read_text() or "-")
            if not target.is_dir():
                target = self._put(archive, name, unpack)
                note.write_text(target.name)
        self._known[state] = target
        return target

    def _put(self, archive: BinaryIO, name: str, unpack: Callable[[Path, Path], None]) -> Path:
        """Unpack beside, then rename: whoever sees the directory sees all of it."""
        with self._own_scratch() as scratch:
            try:
                content = _copied(archive, scratch / "archive")
                target = self._shelf.path(content)
                if target.is_dir():  # under another name, or at another time
                    return target
                (scratch / "files").mkdir()
                unpack(scratch / "archive", scratch / "files")
            except UNREADABLE as error:
                raise TaskFailure(
                    f"bundle '{name}': {archive.name}: {error}", error="InvalidBundle"
                ) from error
            self._has_unpacked = True
            return self._shelf.put(scratch / "files", content)

    def _sweep(self) -> None:
        try:
            with self._own_scratch() as scratch:
                for content in self._shelf.sweep(scratch):
                    log.info("worker.bundle_deleted", content=content)
        except OSError as error:
            log.warning("worker.bundles_not_swept", error=str(error))

    @contextmanager
    def _own_scratch(self) -> Iterator[Path]:
        self._scratch.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=self._scratch))
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _copied(archive: BinaryIO, copy: Path) -> str:
    """Copy the archive and return the hash of the copy: who unpacks the original may meet another one."""
    digest = hashlib.sha256()
    with copy.open("wb") as target:
        while chunk := archive.read(CHUNK):
            digest.update(chunk)
            target.write(chunk)
    return digest.hexdigest()


def _unzip(archive: Path, directory: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            _check_inside(member.filename)
            path = Path(opened.extract(member, directory))
            mode = member.external_attr >> 16 & 0o755  # as with tar: nobody else may write what tasks run
            if mode and path.is_file():  # zipfile forgets what can be executed
                path.chmod(mode | 0o600)


def _untar(archive: Path, directory: Path) -> None:
    with tarfile.open(archive, "r:gz") as opened:
        for member in opened:
            _check_inside(member.name)
            opened.extract(member, directory, filter="data")  # which refuses links that lead out


def _check_inside(name: str) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"the member '{name}' would land outside of the bundle")
