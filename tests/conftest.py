"""Shared fixtures, and how a session is set up: servers of its own, processes that share it, cached bytecode."""

import os
import sys
from pathlib import Path

import pytest

pytest_plugins = ["tests.fixtures.postgres", "tests.fixtures.redis"]

UNIT = Path(__file__).parent / "unit"
COMPUTING, WAITING = 2, 3
"""Processes for tests that only compute, one for each core; and where tests also wait for servers."""


def pytest_configure(config: pytest.Config) -> None:
    """Keep bytecode in pytest's cache where it may not lie beside the sources.

    Without it every process of every session rewrites the assertions of all test modules anew, which takes
    longer than a third of the unit tests themselves.
    """
    cache = getattr(config, "cache", None)  # absent with `-p no:cacheprovider`
    if sys.dont_write_bytecode and sys.pycache_prefix is None and cache is not None:
        sys.pycache_prefix = str(cache.mkdir("bytecode"))
        sys.dont_write_bytecode = False


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Take few processes for unit tests: each imports every test module first, which costs more than it saves."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    asked = [config.invocation_params.dir / argument.partition("::")[0] for argument in config.args]
    return COMPUTING if all(path.resolve().is_relative_to(UNIT) for path in asked) else WAITING
