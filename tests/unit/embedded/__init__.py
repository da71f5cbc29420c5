"""Unit tests of the package `embedded`."""
