"""The commands: each parses, makes one service call, and renders."""
