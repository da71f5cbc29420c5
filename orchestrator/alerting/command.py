"""Owns the delivery of an alert to a program: JSON on its standard input, the key in its environment."""

import json
import os
import shlex
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from orchestrator.alerting.delivery import Delivery, Undelivered

LIMIT_S = 30.0
GRACE_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSender:
    """Runs programs, each in a process group of its own; exit 0 is an arrival.

    Attributes:
        environment: What a program inherits.
        limit_s: How long it may run, in seconds.
        grace_s: Between TERM and KILL of one that runs longer, in seconds.
    """

    environment: Mapping[str, str] = field(repr=False)
    limit_s: float = LIMIT_S
    grace_s: float = GRACE_S

    def send(self, delivery: Delivery, address: str) -> None:
        """Run the command; what it writes to standard error stands in the master's log.

        Raises:
            Undelivered: It cannot be started, ends with something else than 0, or takes too long.
        """
        try:
            program = subprocess.Popen(
                shlex.split(address),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                env={**self.environment, "ORCHESTRATOR_IDEMPOTENCY_KEY": delivery.key},
                start_new_session=True,
            )
        except (OSError, ValueError) as error:  # its text may hold the command line, and so a secret
            reason = error.strerror if isinstance(error, OSError) else "not a command line"
            raise Undelivered(f"cannot be started: {reason}") from None
        line = json.dumps(delivery.message, ensure_ascii=False) + "\n"
        try:
            program.communicate(line.encode(), timeout=self.limit_s)
        except subprocess.TimeoutExpired:
            raise Undelivered(f"still running after {self.limit_s:g} s") from None
        finally:
            self._end(program)
        if program.returncode != 0:
            raise Undelivered(f"exit {program.returncode}")

    def _end(self, program: subprocess.Popen[bytes]) -> None:
        """End the program's whole group, if it has not ended by itself."""
        if program.poll() is not None:
            return
        _signal(program.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            program.wait(self.grace_s)
        _signal(program.pid, signal.SIGKILL)  # also what stayed of the group
        program.wait()


def _signal(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return
