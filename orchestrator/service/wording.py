"""Owns how numbers of things are said to people."""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it needs one: `1 task`, `2 tasks`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def waiting(number: int, noun: str = "task") -> str:
    """Return how many wait: `1 task waits`, `2 tasks wait`."""
    return f"{counted(number, noun)} {'waits' if number == 1 else 'wait'}"
