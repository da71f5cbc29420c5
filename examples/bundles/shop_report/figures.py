"""Adds up the orders that lie in the bundle beside this module."""

import csv
from pathlib import Path


def total(city: str) -> dict[str, int]:
    """Return how many orders a city has, and what they are worth."""
    with Path("data/orders.csv").open(newline="") as file:
        amounts = [int(row["amount"]) for row in csv.DictReader(file) if row["city"] == city]
    return {"orders": len(amounts), "amount": sum(amounts)}
