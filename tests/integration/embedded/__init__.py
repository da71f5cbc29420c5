"""Tests of the embedded part that start real children."""
