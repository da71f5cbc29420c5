"""Use cases for the command line, the API and the web UI."""
