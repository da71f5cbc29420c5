"""The worker side: claim, execute, report; never the database."""
