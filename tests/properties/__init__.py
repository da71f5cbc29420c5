"""Properties that hold for whatever Hypothesis draws; each takes longer than a unit test may."""
