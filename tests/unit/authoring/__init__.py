"""Unit tests of authoring: YAML, Python, validation."""
