"""Owns the look into the cache: what it has need not go out, and what goes out is kept under its key."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from orchestrator.core.cache import NO_KEY, SECRET_MARK, CachedOutputs, cache_key
from orchestrator.core.inputs import resolve_inputs
from orchestrator.core.notice import CacheLooked, about
from orchestrator.errors import UnresolvedParameter
from orchestrator.master.cut import Cut, Park
from orchestrator.master.inbox import Inbox
from orchestrator.master.items import NoticeItem
from orchestrator.master.supplies import Candidate, Supplies, Values


class CacheSource(Protocol):
    """Where outputs are kept."""

    def find(self, keys: Collection[str]) -> Mapping[str, CachedOutputs]:
        """Return what is kept under these keys; of those under which something is."""
        ...


class Cached:
    """Runs in the loop's thread. A look goes to the loop as a notice, and counts once it is committed.

    An attempt of a cached task goes out when its row says under which key: so that the outputs of a hand-over are
    kept under the key of what it was really made of, whatever crashes, and whatever is changed meanwhile.

    Args:
        source: The database.
        supplies: Where values come from.
        inbox: Where notices go.
        park: Takes a run out of the way whose key cannot be made because of a bug.
    """

    def __init__(self, source: CacheSource, supplies: Supplies, inbox: Inbox, park: Park) -> None:
        self._source = source
        self._supplies = supplies
        self._inbox = inbox
        self._park = park

    def look(self, candidates: Sequence[Candidate], values: Values) -> list[Candidate]:
        """Return those that go out now; of the others the loop is told what the cache has.

        Raises:
            StoreUnavailable: The database is away; nobody was told anything.
        """
        keys = {one.key: key for one in candidates if (key := self._key(one, values)) is not None}
        asked = [one for one in candidates if one.key in keys and _is_to_look(one, keys[one.key])]
        if not asked:
            return list(candidates)
        wanted = {keys[one.key] for one in asked if _may_be_answered(one)}
        found = self._source.find(wanted) if wanted else {}
        self._inbox.put_notices(_notice(one, keys[one.key], found) for one in asked)
        told = {one.key for one in asked}
        return [one for one in candidates if one.key not in told]

    def _key(self, candidate: Candidate, values: Values) -> str | None:
        """Return the key of an attempt; `None` if its task is not cached, or its order cannot be made."""
        task = candidate.instance.graph.tasks[candidate.attempt.task]
        if not task.cache or not self._supplies.is_here(candidate):
            return None
        try:
            around = replace(self._supplies.surroundings(candidate, values), secret_ticket=SECRET_MARK)
            return cache_key(task, around, resolve_inputs(task, around))
        except UnresolvedParameter:  # making the order will say it
            return None
        except Exception as error:  # noqa: BLE001  a bug in one run must not stop the others (R7)
            self._park(candidate.number, Cut(error, []))
            return None


def _is_to_look(candidate: Candidate, key: str) -> bool:
    return candidate.attempt.cache_key not in (key, NO_KEY)


def _may_be_answered(candidate: Candidate) -> bool:
    """Whether nothing of the attempt has run yet, and no message of it may be on its way."""
    return candidate.attempt.started_at is None and candidate.attempt.cache_key is None


def _notice(candidate: Candidate, key: str, found: Mapping[str, CachedOutputs]) -> NoticeItem:
    noted = (
        candidate.attempt.cache_key is None
    )  # else its inputs have changed since its message may have gone out
    hit = found.get(key) if _may_be_answered(candidate) else None
    return NoticeItem(about(candidate.attempt, CacheLooked, key=key if noted else NO_KEY, found=hit))
