"""The pure core: what a workflow means. Standard library only; no I/O, no clock, no randomness."""
