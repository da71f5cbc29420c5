"""Owns the fixtures of the command line's tests: those of the service."""

from tests.unit.service.conftest import backend

__all__ = ["backend"]
