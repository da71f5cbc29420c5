"""Owns the task type `shell`: a script for /bin/bash -e, else /bin/sh -e, or what `shell:` names."""

import shlex
import shutil
from pathlib import Path

from orchestrator.core.order import Order
from orchestrator.worker.executors.port import TaskFailure, Workplace
from orchestrator.worker.executors.script import Program, ScriptWork

BASH = "/bin/bash"
SH = "/bin/sh"


class ShellExecutor:
    """Runs `run` with the parameters as environment variables."""

    def prepare(self, order: Order, workplace: Workplace) -> ScriptWork:
        """Write the script down and start its watcher.

        Raises:
            TaskFailure: `run`, `shell`, `cwd` or a parameter cannot be used.
        """
        text = order.spec.get("run")
        if not isinstance(text, str):
            raise TaskFailure("a shell task needs `run`: the script", error="InvalidTask")
        program = Program(interpreter=interpreter(order.spec.get("shell"), workplace))
        return ScriptWork(order, workplace, text, program)


def interpreter(shell: object, workplace: Workplace) -> list[str]:
    """Return the program and arguments that run a script: those of `shell`, else bash or sh with `-e`.

    Raises:
        TaskFailure: This worker has no such program.
    """
    if not shell:
        return [BASH if Path(BASH).exists() else SH, "-e"]
    words = shlex.split(str(shell))
    program = shutil.which(words[0], path=workplace.environment.get("PATH"))
    if program is None:
        raise TaskFailure(
            f"shell '{shell}': there is no program '{words[0]}' on this worker", error="InvalidTask"
        )
    return [program, *words[1:]]
