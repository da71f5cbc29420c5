"""Shared fixtures, and how a session is set up: servers of its own, processes that share it, cached bytecode."""

import gc
import os
import sys
from pathlib import Path

import pytest
import structlog

pytest_plugins = ["tests.fixtures.postgres", "tests.fixtures.redis"]

TESTS = Path(__file__).parent
UNIT = TESTS / "unit"
LONG = (
    "simulation/test_simulation.py",
    "acceptance",
    "simulation",
    "properties/stateful",
    "integration/core",
    "contract/invariants",
)
"""What takes longest, to be begun first: what computes beside what waits; short files fill the gaps at the end."""

COMPUTING, WAITING = 2, 4
"""Processes for tests that only compute, one for each core; and where half of the time is waiting.

Acceptance tests compute for a quarter of their time: three of them at once leave a core idle.
"""


def pytest_configure(config: pytest.Config) -> None:
    """Keep bytecode in pytest's cache where it may not lie beside the sources.

    Without it every process of every session rewrites the assertions of all test modules anew, which takes
    longer than a third of the unit tests themselves.
    """
    _show_errors_plainly()
    cache = getattr(config, "cache", None)  # absent with `-p no:cacheprovider`
    if sys.dont_write_bytecode and sys.pycache_prefix is None and cache is not None:
        sys.pycache_prefix = str(cache.mkdir("bytecode"))
        sys.dont_write_bytecode = False


def _show_errors_plainly() -> None:
    """Spare the tests coloured tracebacks with all variables: each takes a second of processor time."""
    renderer = structlog.get_config()["processors"][-1]
    assert isinstance(renderer, structlog.dev.ConsoleRenderer)
    renderer.exception_formatter = structlog.dev.plain_traceback  # of the defaults, which tests come back to


def pytest_collection() -> None:
    """Spare the garbage collector what is collected: nearly all of it stays."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Spare the garbage collector what is there before the first test: a tenth of what tests compute."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest; the rest stays in its order."""
    ranks = {path: _rank(path) for path in {item.path for item in items}}
    items.sort(key=lambda item: ranks[item.path])


def _rank(path: Path) -> int:
    """Return the place of a file's tests among what takes longest; the same number for all others."""
    parts = (TESTS / one for one in LONG)
    return next((rank for rank, part in enumerate(parts) if path.is_relative_to(part)), len(LONG))


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """Take back how a test set up the log lines of its process: the next one may be anybody's."""
    structlog.reset_defaults()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Take few processes for unit tests: each imports every test module first, which costs more than it saves."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    asked = [config.invocation_params.dir / argument.partition("::")[0] for argument in config.args]
    return COMPUTING if all(path.resolve().is_relative_to(UNIT) for path in asked) else WAITING
