"""Unit tests of the package `service`."""
