"""Pure unit tests."""
