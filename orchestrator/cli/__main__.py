"""Owns `python -m orchestrator.cli`: the same program as `orchestrator`."""

from orchestrator.cli.main import main

main()
