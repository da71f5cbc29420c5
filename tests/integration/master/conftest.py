"""Fixtures of the master's tests."""

from tests.fixtures.worlds import busy_world, memory_engine, quiet, world

__all__ = ["busy_world", "memory_engine", "quiet", "world"]
