"""Owns the clients of the simulated Redis: redis-py's own classes, whose round trips end in a `Network`."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import redis
from redis.client import Pipeline
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import TimeoutError as NoReply
from redis.exceptions import WatchError

from tests.simulation.redis_server import SimulatedServer

ANSWER_TIMEOUT_S = 10.0
"""What `longest_block_ms` reads; nothing ever waits for it."""


class Network(Protocol):
    """What lies between clients and the server."""

    def call(
        self, who: str, commands: Sequence[tuple[Any, ...]], execute: Callable[[], list[Any]]
    ) -> list[Any]:
        """Carry out one round trip of the client `who`; simulated time may pass.

        Raises:
            redis.exceptions.ConnectionError: Before or after `execute`.
            redis.exceptions.TimeoutError: The same.
        """


class Direct:
    """A network on which nothing ever happens."""

    def call(
        self, who: str, commands: Sequence[tuple[Any, ...]], execute: Callable[[], list[Any]]
    ) -> list[Any]:
        """Execute."""
        del who, commands
        return execute()


class Wire:
    """The way of one client to the server.

    Args:
        server: Where it ends.
        network: What lies between.
        who: The client's name.
    """

    def __init__(self, server: SimulatedServer, network: Network, who: str) -> None:
        self._server = server
        self._network = network
        self._who = who

    def send(
        self,
        commands: Sequence[tuple[Any, ...]],
        *,
        transaction: bool = False,
        watched: Mapping[bytes, int] | None = None,
    ) -> list[Any]:
        """Do one round trip; raises what the network raises."""
        execute = functools.partial(self._server.execute, commands, transaction=transaction, watched=watched)
        return self._network.call(self._who, commands, execute)


class SimulatedRedis(redis.Redis):
    """A client without a connection. Replies go through redis-py's own callbacks.

    Args:
        wire: Its way to the server.
    """

    def __init__(self, wire: Wire) -> None:
        super().__init__(connection_pool=_pool())
        self._wire = wire

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Do one command in one round trip."""
        return _finished(self.response_callbacks, args, options, self._wire.send([args])[0])

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> "SimulatedPipeline":  # noqa: FBT001, FBT002  # redis-py's signature
        """Return a pipeline over the same wire."""
        del shard_hint
        return SimulatedPipeline(self._wire, self.response_callbacks, transaction=transaction)


class SimulatedPipeline(Pipeline):
    """A pipeline without a connection.

    Args:
        wire: Its way to the server.
        callbacks: What makes Python values of replies.
        transaction: Whether its commands stand between MULTI and EXEC.
    """

    def __init__(self, wire: Wire, callbacks: Any, *, transaction: bool) -> None:
        super().__init__(_pool(), callbacks, transaction, None)
        self._wire = wire
        self._watched: dict[bytes, int] = {}

    def reset(self) -> None:  # type: ignore[override]  # so does redis-py's own pipeline
        """Forget commands and watched keys; unlike redis-py, without a round trip for UNWATCH."""
        self.command_stack = []
        self.scripts = set()
        self.watching = False
        self.explicit_transaction = False
        self._watched = {}

    def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        """Do one command now: WATCH, or what follows it before MULTI."""
        try:
            reply = self._wire.send([args])[0]
        except (Unreachable, NoReply) as error:
            self._fail_watching(error)
            raise
        if args[0] == "WATCH":
            self.watching = True
            self._watched.update(reply)
            return True
        if args[0] == "UNWATCH":
            self.watching, self._watched = False, {}
        return _finished(self.response_callbacks, args, options, reply)

    def execute(self, raise_on_error: bool = True) -> list[Any]:  # noqa: FBT001, FBT002  # redis-py's signature
        """Do all commands in one round trip."""
        stack = self.command_stack
        if not stack and not self.watching:
            return []
        try:
            if self.scripts:
                self.load_scripts()  # type: ignore[no-untyped-call]  # redis-py's
            replies = self._send([args for args, _ in stack])
        finally:
            self.reset()
        if raise_on_error:
            self.raise_first_error(stack, replies)  # type: ignore[no-untyped-call]  # redis-py's
        return [
            reply
            if isinstance(reply, Exception)
            else _finished(self.response_callbacks, args, options, reply)
            for (args, options), reply in zip(stack, replies, strict=True)
        ]

    def _send(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        transaction = bool(self.transaction) or self.explicit_transaction  # an attribute here, not the method
        try:
            replies = self._wire.send(commands, transaction=transaction, watched=self._watched)
        except (Unreachable, NoReply) as error:
            self._fail_watching(error)
            raise
        if len(replies) == 1 and isinstance(replies[0], WatchError):
            raise replies[0]
        return replies

    def _fail_watching(self, error: Exception) -> None:
        """Raise WatchError if a connection was lost on which keys were watched, as redis-py does."""
        if self.watching:
            self.reset()
            raise WatchError(f"A {type(error).__name__} occurred while watching one or more keys") from error


def connect(server: SimulatedServer, network: Network, who: str) -> redis.Redis:
    """Return a client of the simulated server, with byte replies.

    Args:
        server: The server.
        network: What lies between.
        who: The client's name, for the network.
    """
    return SimulatedRedis(Wire(server, network, who))


@functools.cache
def _pool() -> redis.ConnectionPool:
    """Return the pool that all clients name as theirs and never connect with."""
    return redis.ConnectionPool(protocol=2, socket_timeout=ANSWER_TIMEOUT_S)


def _finished(callbacks: dict[str, Any], args: tuple[Any, ...], options: dict[str, Any], reply: Any) -> Any:
    """Return a reply as redis-py does; raise it if it is an error."""
    if isinstance(reply, Exception):
        raise reply
    callback = dict.get(callbacks, args[0])  # redis-py would make capitals of capitals first
    if callback is None:
        return reply
    options.pop("keys", None)  # meant for redis-py's cache
    return callback(reply, **options)
