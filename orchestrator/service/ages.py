"""Owns how an age is read that people give to a command: `90d`, `12h`, or seconds."""

from orchestrator.authoring import durations
from orchestrator.errors import UserError


def age_s(option: str, text: str) -> float:
    """Return an age in seconds.

    Args:
        option: Where it was given, for the message.
        text: As people write it.

    Raises:
        UserError: It is no duration.
    """
    try:
        return durations.seconds(text)
    except ValueError as error:
        raise UserError(f"{option} {text}: {error}") from None
