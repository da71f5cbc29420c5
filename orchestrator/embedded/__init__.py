"""Everything on one machine: private Redis, SQLite file, supervised processes."""
