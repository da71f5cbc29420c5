"""Owns where workers, and masters, find secrets: the environment, then a directory with one file per secret."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from orchestrator.config import setting_name
from orchestrator.errors import OrchestratorError

LIMIT_BYTES = 64 * 1024


class SecretUnavailable(OrchestratorError):
    """A secret that somebody names cannot be had here; the message says which, and the remedy."""


class SecretSource(Protocol):
    """Where secrets come from."""

    def find(self, name: str) -> str:
        """Return the value of the secret `name`, or raise SecretUnavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSecrets:
    """The secrets of one worker or master. A file is read at each use, so that a changed one counts at once.

    Attributes:
        given: Values from the environment, by the rest of the variable's name in capitals.
        directory: A directory with a file for each secret, such as Docker and Kubernetes mount.
        place: Who looks, for messages.
    """

    given: Mapping[str, str] = field(default_factory=dict, repr=False)
    directory: Path | None = None
    place: str = "this worker"

    def find(self, name: str) -> str:
        """Return the value of the secret `name`.

        Raises:
            SecretUnavailable: It is known nowhere, empty, or cannot be read.
        """
        value = self.given.get(setting_name(name))
        if value is None and self.directory is not None:
            value = self._read(self.directory / name)
        if value is None:
            raise SecretUnavailable(f"secret '{name}' is not known on {self.place}: {self._remedy(name)}")
        if not value:
            raise SecretUnavailable(f"secret '{name}' is empty on {self.place}")
        return value

    def _read(self, path: Path) -> str | None:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SecretUnavailable(f"secret '{path.name}' cannot be read: {error.strerror}") from None
        if len(data) > LIMIT_BYTES:
            raise SecretUnavailable(f"secret '{path.name}' has more than {LIMIT_BYTES} bytes")
        try:
            return data.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise SecretUnavailable(f"secret '{path.name}' is not UTF-8 text") from None

    def _remedy(self, name: str) -> str:
        variable = f"set ORCHESTRATOR_SECRET_{setting_name(name)}"
        if self.directory is None:
            return f"{variable}, or name a directory of files in ORCHESTRATOR_SECRETS_DIR"
        return f"{variable}, or write the file {self.directory / name}"
