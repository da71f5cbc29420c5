"""One pure handler per event and per command."""
