"""Owns the Lua of the simulated Redis: real Lua, each script compiled once per program."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from lupa import lua51  # type: ignore[import-untyped]  # it has no type hints
from redis.exceptions import ResponseError

from tests.simulation.redis_values import Status, all_raw

Call = Callable[[Any, Sequence[bytes]], Any]
"""What a script's `redis.call` does: a command's name and its arguments."""


class Lua:
    """One Lua for the whole program: a script is a function that knows no server of its own."""

    def __init__(self) -> None:
        self._runtime: Any = lua51.LuaRuntime(encoding=None, register_builtins=False, register_eval=False)
        self._call: Call | None = None
        self._compiled: dict[bytes, Any] = {}
        self._redis = self._runtime.table_from(
            {
                b"call": self._from_script,
                b"pcall": self._safely_from_script,
                b"error_reply": lambda text: self._runtime.table_from({b"err": text}),
                b"status_reply": lambda text: self._runtime.table_from({b"ok": text}),
            }
        )

    def run(self, script: bytes, call: Call, keys: Sequence[bytes], arguments: Sequence[bytes]) -> Any:
        """Run a script to its end and return its reply.

        Raises:
            ResponseError: It failed.
        """
        function = self._compiled.get(script)
        if function is None:
            function = self._compiled[script] = self._compile(script)
        self._call = call
        table = self._runtime.table_from
        try:
            return self._reply(function(self._redis, table(keys), table(arguments)))
        except lua51.LuaError as error:
            raise ResponseError(f"Error running script: {error}") from error
        finally:
            self._call = None  # no server shall live on because a script once spoke to it

    def _compile(self, script: bytes) -> Any:
        try:
            return self._runtime.execute(b"return function(redis, KEYS, ARGV) " + script + b"\nend")
        except lua51.LuaError as error:
            raise ResponseError(f"Error compiling script: {error}") from error

    def _from_script(self, name: bytes, *arguments: Any) -> Any:
        assert self._call is not None
        reply = self._call(name, all_raw(arguments))
        return reply if reply.__class__ is bytes else self._lua(reply)

    def _safely_from_script(self, name: bytes, *arguments: Any) -> Any:
        try:
            return self._from_script(name, *arguments)
        except ResponseError as error:
            return self._runtime.table_from({b"err": str(error).encode()})

    def _lua(self, reply: Any) -> Any:
        """Return a reply as scripts see it."""
        match reply:
            case None:
                return False
            case Status():
                return self._runtime.table_from({b"ok": bytes(reply)})
            case list():
                return self._runtime.table_from([self._lua(one) for one in reply])
            case _:
                return reply

    def _reply(self, value: Any) -> Any:
        """Return what a script returned as a reply."""
        match value:
            case bytes():
                return value
            case None | False:
                return None
            case bool() | int() | float():
                return int(value)
            case _:
                return self._table(value)

    def _table(self, table: Any) -> Any:
        if table[b"err"] is not None:
            raise ResponseError(table[b"err"].decode(errors="replace"))
        if table[b"ok"] is not None:
            return Status(table[b"ok"])
        replies: list[Any] = []
        while (value := table[len(replies) + 1]) is not None:
            replies.append(self._reply(value))
        return replies


@functools.cache
def lua() -> Lua:
    """Return the one Lua: compiling costs more than a whole simulation's claims."""
    return Lua()
