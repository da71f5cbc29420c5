"""Owns what a worker's name may look like: Celery, Redis and file systems must all be able to carry it."""

import re

from orchestrator.errors import UserError

LONGEST = 200
"""With an ending it is the name of files, which have at most 255 bytes."""

_NAME = re.compile(r"[A-Za-z0-9_.+-]+(@[A-Za-z0-9_.:-]+)?")


def check_worker_name(name: str) -> None:
    """Return if a worker can have this name.

    Redis refuses client names with blanks and other than ASCII letters, Celery expands `%` and ends the name at
    `@`, claims end it at `|`.

    Args:
        name: Celery's node name, with or without the host.

    Raises:
        UserError: It cannot.
    """
    if not _NAME.fullmatch(name) or len(name) > LONGEST:
        raise UserError(
            f"'{name}' cannot be a worker's name: it has letters of a to z, digits, '_', '.', '+' and '-' only,"
            f" then perhaps '@' and the host, at most {LONGEST} characters in all"
        )
