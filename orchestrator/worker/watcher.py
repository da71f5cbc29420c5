"""Owns the watcher: a tiny program between a worker and a script, so that no script outlives its worker.

Run as `python -I -S -E watcher.py FD`, in a session of its own, with one end of a socket pair as FD. It reads
one frame (`frame`) that says what to start, starts it in its own process group, and waits. The script ends:
the wait status goes back as text. The other side is gone (the pipe ends): the whole group is killed, this program
included. Standard library only, and little of it: it starts while the worker asks Redis for the claim.
"""

import os
import signal
import sys

HEADER = 8


class _ScriptEnded(BaseException):
    """SIGCHLD: raised out of whatever the watcher waits in."""


def frame(argv: list[str], directory: str, environment: dict[str, str]) -> bytes:
    """Return what the watcher reads: a length, then, between NULs, argc, argv, directory and variables.

    Raises:
        ValueError: A text holds a NUL byte; no program can get it.
    """
    texts = [str(len(argv)), *argv, directory, *(f"{name}={value}" for name, value in environment.items())]
    if any("\0" in text for text in texts):
        raise ValueError("a NUL byte cannot be passed to a program")
    body = "\0".join(texts).encode("utf-8", "surrogateescape")
    return len(body).to_bytes(HEADER, "big") + body


def parse(body: bytes) -> tuple[list[str], str, dict[str, str]]:
    """Return arguments, directory and environment from a frame's body; the inverse of `frame`."""
    count, *texts = body.decode("utf-8", "surrogateescape").split("\0")
    argv, directory, pairs = texts[: int(count)], texts[int(count)], texts[int(count) + 1 :]
    environment = dict(pair.split("=", 1) for pair in pairs)
    return argv, directory, environment


def main(channel: int) -> None:
    """Start what the frame on `channel` says and end with it, or kill it when the other side is gone."""
    signal.signal(signal.SIGTERM, _outlive)  # a handler, not SIG_IGN: exec resets it, the script hears TERM
    signal.signal(signal.SIGINT, _outlive)
    argv, directory, environment = parse(_receive(channel))
    try:
        signal.signal(signal.SIGCHLD, _raise_ended)
        _start(argv, directory, environment, channel)
        while os.read(channel, 1):
            pass
        os.killpg(0, signal.SIGKILL)
    except _ScriptEnded:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.write(channel, str(os.wait()[1]).encode())


def _receive(channel: int) -> bytes:
    size = int.from_bytes(_exactly(channel, HEADER), "big")
    return _exactly(channel, size)


def _exactly(channel: int, size: int) -> bytes:
    parts = []
    while size:
        part = os.read(channel, min(size, 1 << 16))
        if not part:
            sys.exit(0)  # never told to start: the claim was refused, or the worker died first
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _start(argv: list[str], directory: str, environment: dict[str, str], channel: int) -> None:
    if os.fork():
        return
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(channel)
        os.chdir(directory)
        os.execve(argv[0], argv, environment)  # noqa: S606 - starting it is the purpose, without a shell
    except BaseException as error:  # noqa: BLE001 - the copy of the watcher must end here, whatever happened
        os.write(2, f"{argv[0]}: {error}\n".encode())
        os._exit(127)


def _outlive(_number: int, _frame: object) -> None:
    """TERM goes to the whole group; the watcher stays to report how the script took it."""


def _raise_ended(_number: int, _frame: object) -> None:
    raise _ScriptEnded


if __name__ == "__main__":
    main(int(sys.argv[1]))
