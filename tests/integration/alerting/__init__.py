"""Alerts on real servers and programs."""
