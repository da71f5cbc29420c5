"""Rules about the repository itself: its sources, its documents."""
