"""Owns the index of who holds what: attempts in the broker by group, and owned attempts by incarnation."""

from collections import defaultdict
from collections.abc import Iterable

from orchestrator.core.instance import TaskInstance
from orchestrator.core.status import TASK_HANDED_OVER, TaskState
from orchestrator.master.ready import Key

Token = tuple[int, int]
"""Attempt and dispatch."""


class Holdings:
    """Follows the committed rows. `in_broker` feeds the dispatch window, `owned_by` the judgement of losses."""

    def __init__(self) -> None:
        self._broker: dict[str, set[Key]] = defaultdict(set)
        self._owned: dict[str, set[Key]] = defaultdict(set)
        self._handed: dict[Key, tuple[str, Token]] = {}
        self._owner: dict[Key, str] = {}
        self._of_instance: dict[int, set[Key]] = defaultdict(set)

    def hand_over(self, key: Key, group: str, token: Token) -> None:
        """Note that this hand-over of `key` is on its way into the broker."""
        self.took(key)
        self._broker[group].add(key)
        self._handed[key] = (group, token)
        self._of_instance[key[0]].add(key)

    def note(self, attempt: TaskInstance, group: str) -> None:
        """Follow one committed row."""
        key = (attempt.workflow_instance_id, attempt.task)
        published = attempt.state is TaskState.SUBMITTED and self.is_handed_over(key, attempt.token)
        if attempt.state is TaskState.DISPATCHED or published:
            self.hand_over(key, group, attempt.token)
        else:
            self.took(key)
        self._drop_owner(key)
        if attempt.incarnation and attempt.state in (*TASK_HANDED_OVER, TaskState.RUNNING):
            self._owned[attempt.incarnation].add(key)
            self._owner[key] = attempt.incarnation
            self._of_instance[key[0]].add(key)

    def took(self, key: Key) -> None:
        """Note that `key` has left the broker."""
        handed = self._handed.pop(key, None)
        if handed is not None:
            self._broker[handed[0]].discard(key)

    def forget(self, workflow_instance_id: int) -> None:
        """Forget every attempt of an instance."""
        for key in self._of_instance.pop(workflow_instance_id, ()):
            self.took(key)
            self._drop_owner(key)

    def is_handed_over(self, key: Key, token: Token) -> bool:
        """Return whether this hand-over of `key` is in the broker, or on its way."""
        handed = self._handed.get(key)
        return handed is not None and handed[1] == token

    def in_broker(self, group: str) -> int:
        """Return how many attempts of `group` are in the broker and not started."""
        return len(self._broker[group]) if group in self._broker else 0

    def groups(self) -> list[str]:
        """Return the groups that have something in the broker."""
        return [group for group, keys in self._broker.items() if keys]

    def all_in_broker(self) -> list[Key]:
        """Return every attempt in the broker."""
        return list(self._handed)

    def incarnations(self) -> Iterable[str]:
        """Return the incarnations that own something."""
        return [incarnation for incarnation, keys in self._owned.items() if keys]

    def owned_by(self, incarnation: str) -> list[Key]:
        """Return the attempts that `incarnation` owns."""
        return list(self._owned.get(incarnation, ()))

    def clear(self) -> None:
        """Forget everything."""
        for index in (self._broker, self._owned, self._handed, self._owner, self._of_instance):
            index.clear()

    def _drop_owner(self, key: Key) -> None:
        owner = self._owner.pop(key, None)
        if owner is not None:
            self._owned[owner].discard(key)
            if not self._owned[owner]:
                del self._owned[owner]
