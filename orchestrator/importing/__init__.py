"""How workflows of other systems come in: read, convert, say what has no equivalent, write our YAML."""
