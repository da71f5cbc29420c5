"""The task types that run on workers; more come through the entry point group `orchestrator.executors`."""
