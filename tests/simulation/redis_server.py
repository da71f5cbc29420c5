"""Owns the simulated Redis server: every command in memory, on simulated time; scripts are run by real Lua."""

import functools
import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from redis.exceptions import NoScriptError, ResponseError, WatchError

from tests.simulation.redis_collections import COLLECTION_COMMANDS
from tests.simulation.redis_commands import COMMANDS
from tests.simulation.redis_group_commands import GROUP_COMMANDS
from tests.simulation.redis_keyspace import Keyspace
from tests.simulation.redis_scripts import lua
from tests.simulation.redis_stream_commands import STREAM_COMMANDS
from tests.simulation.redis_stream_value import Stream
from tests.simulation.redis_values import OK, Hash, List, SortedSet, Status, all_raw, raw

Handler = Callable[[Sequence[bytes]], Any]

ALL = {**COMMANDS, **COLLECTION_COMMANDS, **STREAM_COMMANDS, **GROUP_COMMANDS}
VERSION = "7.2.4"
INFO = """# Server
redis_version:{version}
redis_mode:standalone
run_id:{run_id}
# Persistence
loading:0
aof_enabled:1
# Memory
maxmemory:0
maxmemory_policy:noeviction
# Clients
blocked_clients:0
"""


class SimulatedServer:
    """A Redis in memory. Blocking commands answer at once, as if their time were over.

    Args:
        now: Seconds since the epoch, simulated.
        chance: Chooses the run ids, and nothing else.
        keep_history: Whether a restart can lose the last seconds.
    """

    def __init__(
        self, now: Callable[[], float], chance: random.Random, *, keep_history: bool = False
    ) -> None:
        self._space = Keyspace(now, keep_history=keep_history)
        self._chance = chance
        self._scripts: dict[bytes, bytes] = {}
        self._handlers: dict[str | bytes, Handler] = {}
        for name, handler in self._own_commands().items():
            self._handlers[name] = self._handlers[name.encode()] = handler  # clients say text, scripts bytes
        for name, command in ALL.items():
            self._handlers[name] = self._handlers[name.encode()] = functools.partial(command, self._space)
        self._start()

    @property
    def version(self) -> int:
        """A number that grows with every write."""
        return self._space.version

    def execute(
        self,
        commands: Sequence[tuple[Any, ...]],
        *,
        transaction: bool = False,
        watched: Mapping[bytes, int] | None = None,
    ) -> list[Any]:
        """Carry out one round trip and return the raw replies, as redis-py's parser of RESP2 would.

        Args:
            commands: Each as redis-py would send it; MULTI and EXEC are left out.
            transaction: They stand between MULTI and EXEC. Nobody else gets in between anyway.
            watched: Keys as WATCH answered them: if one changed, the only reply is a WatchError.

        Returns:
            One reply per command; an error reply is an exception, not raised. WATCH answers a mapping.

        Raises:
            NotImplementedError: A command is not simulated; the message names it.
        """
        if transaction and any(self._space.changed_at(key) != seen for key, seen in (watched or {}).items()):
            return [WatchError("Watched variable changed.")]
        return [self._answer(command) for command in commands]

    def restart(self, *, seconds_lost: float = 0.0, wipe: bool = False) -> None:
        """Start again under a new run id, without scripts.

        Args:
            seconds_lost: The data are as they were that long ago; never older than the last write before.
            wipe: There are no data.

        Raises:
            ValueError: `seconds_lost` without `keep_history`.
        """
        if wipe:
            self._space.forget()
        elif seconds_lost:
            self._space.go_back(seconds_lost)
        self._scripts.clear()
        self._space.unwatch()  # connections were lost, and what was watched on them
        self._start()

    def flush(self) -> None:
        """Delete all keys, as FLUSHALL does: same run id, same scripts."""
        self._space.clear()

    def keys(self) -> list[bytes]:
        """Return all keys."""
        return self._space.names()

    def peek(self, key: bytes | str) -> Any:
        """Return a copy of a key's value: bytes, dict, list, or a stream's entries; `None` if it is not there."""
        value = self._space.look(raw(key))
        match value:
            case Hash() | SortedSet():
                return dict(value)
            case List():
                return list(value)
            case Stream():
                return self.stream_entries(key)
            case _:
                return value

    def stream_entries(self, key: bytes | str) -> list[tuple[bytes, dict[bytes, bytes]]]:
        """Return the ids and fields of a stream's entries, the oldest first; none if there is no such stream."""
        value = self._space.look(raw(key))
        if not isinstance(value, Stream):
            return []
        return [
            (one.shown, dict(zip(one.fields[::2], one.fields[1::2], strict=True)))
            for one in value.entries.values()
        ]

    def stream_lengths(self) -> dict[bytes, int]:
        """Return the number of entries of every stream."""
        return {key: len(stream.entries) for key, stream in self._space.streams()}

    def pending(self) -> dict[bytes, int]:
        """Return of every stream how many entries are read and not acknowledged, over all its groups."""
        return {
            key: sum(len(group.pending) for group in stream.groups.values())
            for key, stream in self._space.streams()
        }

    def _start(self) -> None:
        self.run_id = f"{self._chance.getrandbits(160):040x}"
        self._info = INFO.format(version=VERSION, run_id=self.run_id).replace("\n", "\r\n").encode()

    def _answer(self, command: tuple[Any, ...]) -> Any:
        try:
            return self._call(command[0], all_raw(command[1:]))
        except ResponseError as error:
            return error

    def _call(self, name: str | bytes, arguments: Sequence[bytes]) -> Any:
        handler = self._handlers.get(name)
        if handler is None:
            name, arguments = _spelled(name, arguments)
            handler = self._handlers.get(name)
            if handler is None:
                raise NotImplementedError(f"the simulated Redis has no command {name}")
        return handler(arguments)

    def _own_commands(self) -> dict[str, Handler]:
        return {
            "EVAL": self._eval,
            "EVALSHA": self._evalsha,
            "INFO": lambda _arguments: self._info,
            "SCRIPT EXISTS": lambda shas: [int(sha in self._scripts) for sha in shas],
            "SCRIPT FLUSH": self._forget_scripts,
            "SCRIPT LOAD": lambda arguments: self._load(arguments[0]),
            "UNWATCH": lambda _arguments: OK,
            "WATCH": lambda keys: {key: self._space.changed_at(key) for key in keys},
        }

    def _forget_scripts(self, _arguments: Sequence[bytes]) -> Status:
        self._scripts.clear()
        return OK

    def _load(self, script: bytes) -> bytes:
        sha = hashlib.sha1(script, usedforsecurity=False).hexdigest().encode()
        self._scripts[sha] = script
        return sha

    def _eval(self, arguments: Sequence[bytes]) -> Any:
        return self._evalsha([self._load(arguments[0]), *arguments[1:]])

    def _evalsha(self, arguments: Sequence[bytes]) -> Any:
        script = self._scripts.get(arguments[0])
        if script is None:
            raise NoScriptError("No matching script. Please use EVAL.")
        first = 2 + int(arguments[1])
        return lua().run(script, self._call, arguments[2:first], arguments[first:])


def _spelled(name: str | bytes, arguments: Sequence[bytes]) -> tuple[str, Sequence[bytes]]:
    """Return a command as the table of commands spells it: in capitals, its subcommand with it."""
    word = (name.decode() if isinstance(name, bytes) else name).upper()
    if arguments and word in {"SCRIPT", "XGROUP", "XINFO"}:
        return f"{word} {arguments[0].decode().upper()}", arguments[1:]
    return word, arguments
