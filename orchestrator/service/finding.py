"""Owns finding a stored workflow by its name, with a guess where there is none."""

from orchestrator.authoring.names import did_you_mean
from orchestrator.errors import NotFound
from orchestrator.service.records import Records
from orchestrator.store.definitions import StoredDefinition


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
