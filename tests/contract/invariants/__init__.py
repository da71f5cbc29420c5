"""The invariants of event handling (I1-I20), each on SQLite and on PostgreSQL, for every handler it concerns."""
