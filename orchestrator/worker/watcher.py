"""Owns the watcher: a tiny program between a worker and a script, so that no script outlives its worker.

Run as `python -I -S -E watcher.py FD`, in a session of its own, with one end of a socket pair as FD. It reads
one frame (`frame`) that says what to start, starts it in its own process group, and waits. The script ends:
the wait status goes back as text. The other side is gone (the pipe ends): the whole group is killed, this program
included. Standard library only, and little of it: it starts while the worker asks Redis for the claim.
"""

import os
import select
import signal
import sys

HEADER = 8


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
    woken = _listen_to_signals()
    argv, directory, environment = parse(_receive(channel))
    _start(argv, directory, environment, channel)
    ended = _wait(channel, woken)
    if ended is None:
        os.killpg(0, signal.SIGKILL)
    os.write(channel, str(ended).encode())


def _listen_to_signals() -> int:
    """Return a descriptor that can be read when a signal came: nothing is lost between looking and waiting."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    # handlers, not SIG_IGN: exec resets them, so that the script hears TERM and this program outlives it
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, _note)
    return read_end


def _wait(channel: int, woken: int) -> int | None:
    """Return the script's wait status, or `None` when the other side of `channel` is gone."""
    waiting = select.poll()
    waiting.register(channel, select.POLLIN)
    waiting.register(woken, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in waiting.poll()}
        if woken in ready:
            os.read(woken, 1 << 10)
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid:
                return status
        if channel in ready and not os.read(channel, 1):
            return None


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
        signal.set_wakeup_fd(-1)
        os.close(channel)
        os.chdir(directory)
        os.execve(argv[0], argv, environment)  # noqa: S606 - starting it is the purpose, without a shell
    except BaseException as error:  # noqa: BLE001 - the copy of the watcher must end here, whatever happened
        os.write(2, f"{argv[0]}: {error}\n".encode())
        os._exit(127)


def _note(_number: int, _frame: object) -> None:
    """The wake-up descriptor says it all."""


if __name__ == "__main__":
    main(int(sys.argv[1]))
