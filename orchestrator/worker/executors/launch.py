"""Owns the start of a python script: a program that gives it its parameters as variables.

Run as `python launch.py VARIABLES SCRIPT`: VARIABLES is a file with one JSON object. Standard library only.
"""

import json
import sys
import types
from pathlib import Path


def main(variables: str, script: str) -> None:
    """Run the file `script` as `__main__`, with the items of the file `variables` as global variables."""
    module = types.ModuleType("__main__")
    module.__dict__.update(json.loads(Path(variables).read_text("utf-8")))
    Path(variables).unlink()  # secrets may be among them
    module.__dict__["__file__"] = script
    sys.modules["__main__"] = module
    sys.argv = [script]
    sys.path[0] = ""  # the working directory, as `python FILE` beside the file would have it
    code = compile(Path(script).read_text("utf-8"), "script", "exec")
    exec(code, module.__dict__)  # noqa: S102 - running the user's script is the purpose


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
