"""Owns what cannot be asked for yet because Redis may have forgotten who claimed it."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from orchestrator.broker.claims import RecallAnswer
from orchestrator.core.order import Order
from orchestrator.master.post import HandOver

LOOK_S = 0.5
"""How often is asked again."""

MOST_KNOWN = 50_000
"""The hand-overs whose generation is remembered; of older ones it only takes longer to be certain."""


class Doubt:
    """Keeps requests until they can be answered, and the generations under which orders were published.

    Args:
        monotonic: Seconds that never go back.

    Attributes:
        orders: What a master of before may have published.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._published: dict[str, str] = {}
        self._recalls: dict[str, HandOver] = {}
        self._look_at = float("-inf")
        self.orders: list[Order] = []

    @property
    def is_due(self) -> bool:
        """Whether there is something to ask again about, and it is time to."""
        return bool(self.orders or self._recalls) and self._monotonic() >= self._look_at

    def note(self, orders: Iterable[Order], generation: str) -> None:
        """Remember that these orders went out under this generation."""
        for order in orders:
            self._published[order.id] = generation
        while len(self._published) > MOST_KNOWN:
            del self._published[next(iter(self._published))]

    def published_under(self, order_ids: Iterable[str]) -> dict[str, str]:
        """Return the generation of each of these hand-overs that this master published."""
        return {one: self._published[one] for one in order_ids if one in self._published}

    def keep(self, asked: Mapping[str, HandOver], answers: Iterable[RecallAnswer]) -> None:
        """Keep the recalls that got no answer, and forget the generations of those that did."""
        answered = {answer.order_id for answer in answers}
        self._recalls.update({one: what for one, what in asked.items() if one not in answered})
        for one in answered:
            self._published.pop(one, None)

    def take(self, *, with_orders: bool) -> tuple[Sequence[Order], dict[str, HandOver]]:
        """Return what is to be asked now, and look again after a while."""
        self._look_at = self._monotonic() + LOOK_S
        recalls, self._recalls = self._recalls, {}
        orders: list[Order] = []
        if with_orders:
            orders, self.orders = self.orders, []
        return orders, recalls

    def clear(self) -> None:
        """Forget what waits: the slots belong to somebody else."""
        self.orders.clear()
        self._recalls.clear()
