"""How people write workflows: YAML, Python, validation with positions."""
