"""The broker against the imitation of Redis and against a real server."""
