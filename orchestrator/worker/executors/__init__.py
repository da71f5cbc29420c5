"""How each task type is run."""
