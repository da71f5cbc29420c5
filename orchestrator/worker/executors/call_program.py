"""Owns the program that calls a python callable of a bundle: in a process of its own, with its own modules.

Run as `python -u -P call_program.py OUTPUT REQUEST`; both are files with one JSON object. A worker's child goes on
with other tasks: modules of one bundle, or of yesterday's version of it, must not be met by the next.
"""

import json
import sys
from pathlib import Path
from typing import Any

from orchestrator.core.deferral import Defer
from orchestrator.worker.executors.port import TaskFailure, UnknownCallable
from orchestrator.worker.executors.python import find_callable, one_line, print_traceback
from orchestrator.worker.outputs import from_result


def main(output: str, request: str) -> None:
    """Make the call that `request` describes, and write to `output` how it ended."""
    order = json.loads(Path(request).read_text("utf-8"))
    Path(request).unlink()  # secrets may be in it
    sys.path.extend(path for path in order["path"] if path not in sys.path)
    answer = _answer(order)
    Path(output).write_text(json.dumps(answer), encoding="utf-8", errors="surrogatepass")


def _answer(order: dict[str, Any]) -> dict[str, Any]:
    try:
        function = find_callable(order["call"], None)
    except UnknownCallable as error:  # another worker has the same bundle, so it would not find it either
        return {"reason": str(error), "error": type(error).__name__}
    except TaskFailure as failure:
        return {"reason": failure.reason, "error": failure.error}
    try:
        return {"outputs": from_result(function(**order["params"]), order["outputs"])}
    except Defer as defer:
        return {"defer": defer.seconds, "external_ids": defer.external_ids}
    except TaskFailure as failure:
        return {"reason": failure.reason, "error": failure.error}
    except BaseException as error:  # noqa: BLE001 - however the user's code ends, the worker hears of it
        print_traceback(error)
        return {"reason": one_line(error), "error": type(error).__name__}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
