"""Unit tests of the broker package."""
