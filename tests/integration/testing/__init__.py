"""Tests of what users' own tests are written with."""
