"""The master, in one thread, on SQLite in memory and simulated time."""
