"""Fixtures of the master's longer tests: the worlds of its unit tests."""

from tests.unit.master.conftest import busy_world, memory_engine, quiet, world

__all__ = ["busy_world", "memory_engine", "quiet", "world"]
