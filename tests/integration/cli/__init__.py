"""Tests of the command line that start interpreters."""
