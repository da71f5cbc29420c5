"""Benchmarks: what Orchestrator does, measured beside what the same worker and servers do without it."""
