"""Tests of the master that take seconds."""
