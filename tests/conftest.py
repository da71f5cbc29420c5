"""Shared fixtures: real servers, started privately for the session."""

pytest_plugins = ["tests.fixtures.postgres", "tests.fixtures.redis"]
