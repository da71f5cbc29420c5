"""Tests of authoring that start interpreters."""
