"""Owns the environment variables of scripts: no text is pasted into programs, parameters are variables."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.core.order import Order
from orchestrator.worker.executors.port import TaskFailure

VALUE_LIMIT_BYTES = 120 * 1024
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
REFUSED = re.compile(r"PATH|BASH_ENV|IFS|(LD_|DYLD_|PYTHON|ORCHESTRATOR_).*", re.DOTALL)
OURS = "ORCHESTRATOR_"
KEPT = frozenset({"ORCHESTRATOR_HOME"})  # so that a script may call the `orchestrator` command itself


def base_environment(inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what scripts inherit from the worker: everything but our settings, which may hold passwords."""
    return {name: value for name, value in inherited.items() if not name.startswith(OURS) or name in KEPT}


def script_environment(
    order: Order, base: Mapping[str, str], output: Path, source_dir: Path | None, bundle: Path | None = None
) -> dict[str, str]:
    """Return the environment of a script: `base`, the parameters by name, and the `ORCHESTRATOR_*` variables.

    Raises:
        TaskFailure: A parameter has a refused name, or a value that no environment can hold.
    """
    environment = dict(base)
    for name, value in {**order.parameters, **order.params}.items():
        if not NAME.fullmatch(name):
            if name in order.params:
                raise _refused(name, "is not a name a shell can use ([A-Za-z_][A-Za-z0-9_]*)")
            continue  # an upstream's output that no shell could refer to
        if REFUSED.fullmatch(name):
            raise _refused(name, "is reserved: it would change how programs are found, loaded or run")
        environment[name] = _value(name, value)
    environment.update(_built_in(order, output, source_dir))
    return with_bundle(environment, bundle)


def with_bundle(environment: Mapping[str, str], bundle: Path | None) -> dict[str, str]:
    """Return the environment of a program that runs in a bundle: the bundle by name, and first for Python."""
    if bundle is None:
        return dict(environment)
    paths = [str(bundle), environment.get("PYTHONPATH", "")]
    return {
        **environment,
        OURS + "BUNDLE": str(bundle),
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
    }


def as_text(value: Any) -> str:
    """Return a parameter as a shell sees it: text as it is, lists and maps as JSON, nothing for null."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _value(name: str, value: Any) -> str:
    text = as_text(value)
    if "\0" in text:
        raise _refused(name, "holds a NUL character, which no environment variable can")
    if len(text.encode("utf-8", "surrogateescape")) > VALUE_LIMIT_BYTES:
        raise TaskFailure(
            f"inputs too large: parameter '{name}' has more than {VALUE_LIMIT_BYTES // 1024} KiB",
            error="InputsTooLarge",
        )
    return text


def _built_in(order: Order, output: Path, source_dir: Path | None) -> dict[str, str]:
    values = {
        "WORKFLOW_INSTANCE_ID": str(order.workflow_instance_id),
        "TASK": order.task,
        "ATTEMPT": str(order.attempt),
        "DISPATCH": str(order.dispatch),
        "RUN_COUNT": str(order.run_count),
        "IDEMPOTENCY_KEY": order.idempotency_key,
        "OUTPUT": str(output),
    }
    if source_dir is not None:
        values["SOURCE_DIR"] = str(source_dir)
    return {OURS + name: value for name, value in values.items()}


def _refused(name: str, why: str) -> TaskFailure:
    return TaskFailure(f"parameter '{name}' {why}", error="RefusedParameter")
