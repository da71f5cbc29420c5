"""Owns calls of python callables in a bundle: each in a process of its own, with nobody else's modules."""

import json
import sys
from pathlib import Path

from orchestrator.core.deferral import Defer
from orchestrator.core.order import Order
from orchestrator.worker.executors.environment import with_bundle
from orchestrator.worker.executors.port import Finished, TaskFailure, Workplace
from orchestrator.worker.executors.script import Program, ScriptWork, source_directory
from orchestrator.worker.outputs import checked

PROGRAM = Path(__file__).with_name("call_program.py")


def bundled_call(order: Order, workplace: Workplace) -> ScriptWork:
    """Return the work of one call in the order's bundle, its watcher started.

    Raises:
        TaskFailure: The watcher's frame cannot be written.
    """
    source = source_directory(order, workplace)
    request = {
        "call": str(order.spec["call"]),
        "params": dict(order.params),
        "outputs": dict(order.outputs),
        "path": [path for path in (*sys.path, str(source or "")) if path],
    }
    program = Program(
        interpreter=[sys.executable, "-u", "-P", str(PROGRAM), "{scratch}/output"],
        variables=with_bundle(workplace.environment, workplace.bundle),
        directory=workplace.bundle,
        conclude=lambda code, output: _concluded(code, output, order),
    )
    return ScriptWork(order, workplace, json.dumps(request), program)


def _concluded(exit_code: int, output: Path, order: Order) -> Finished:
    """Make the end of the task out of what the program wrote."""
    try:
        answer = json.loads(output.read_text("utf-8", "surrogatepass"))
    except (OSError, ValueError):
        raise TaskFailure(
            f"the callable ended its process with exit code {exit_code}; its log says why",
            error=str(exit_code),
        ) from None
    if "defer" in answer:
        raise Defer(answer["defer"], external_ids=answer["external_ids"])
    if "outputs" not in answer:
        raise TaskFailure(answer["reason"], error=answer["error"])
    return Finished(outputs=checked(answer["outputs"], order.outputs))
