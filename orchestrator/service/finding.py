"""Owns looking for stored workflows: all of them, or one by its name, with a guess where there is none."""

from typing import Any

from orchestrator.authoring.names import did_you_mean
from orchestrator.errors import NotFound
from orchestrator.service.records import Records
from orchestrator.store.definitions import StoredDefinition


def list_definitions(records: Records) -> list[dict[str, Any]]:
    """Return the latest version of every workflow."""
    return records.queries.definitions()


def find(records: Records, name: str, version: int | None) -> StoredDefinition:
    """Return a stored definition.

    Raises:
        NotFound: There is no such workflow or version; the message names the nearest.
    """
    try:
        return records.definitions.get(name, version)
    except NotFound as error:
        known = [one.definition.name for one in records.definitions.list()]
        raise NotFound(str(error) + ("" if name in known else did_you_mean(name, known))) from None
