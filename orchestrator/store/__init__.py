"""Persistence with SQLAlchemy: the only package that knows the database."""
