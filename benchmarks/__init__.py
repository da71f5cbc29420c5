"""Measuring programs: `python -m benchmarks NAME`."""
