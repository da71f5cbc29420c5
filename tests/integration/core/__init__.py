"""Tests of the core that take seconds."""
