"""Unit tests of how alerts reach people."""
