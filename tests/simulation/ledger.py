"""Owns the ledger: what the simulated tasks really did, which no crash can take back."""

from collections import Counter
from dataclasses import dataclass

from orchestrator.core.order import Order

AttemptKey = tuple[int, str, int]


@dataclass(slots=True)
class Execution:
    """One execution of one hand-over.

    Attributes:
        ended_s: Simulated second at which it came to its end by itself or was cut off.
        how: `success`, `failure`, `deferral`, `killed`, `died`, or empty while it runs.
        zombie: Its worker was frozen or cut off for so long that masters may call it lost.
        apart_until_s: Until when it was.
        unheard: Its process died between its end and the report of it.
        spooled_s: When its worker died with it in the spool: nobody hears of it until that comes back.
        away_s: How long it then took until that worker had said so.
    """

    order_id: str
    key: AttemptKey
    worker: str
    began_s: float
    ended_s: float | None = None
    how: str = ""
    zombie: bool = False
    apart_until_s: float = 0.0
    unheard: bool = False
    spooled_s: float | None = None
    away_s: float = 0.0

    @property
    def spooled(self) -> bool:
        """Whether its worker died with it in the spool."""
        return self.spooled_s is not None


class Ledger:
    """Every execution, in order, and what is counted over all of them.

    Attributes:
        faults: The kinds of the faults that hit.
        calm_from_s: From then on, nothing was broken.
    """

    def __init__(self) -> None:
        self.executions: list[Execution] = []
        self.deferrals: Counter[AttemptKey] = Counter()
        self.deaths: Counter[tuple[int, str]] = Counter()
        self.rejects: Counter[tuple[int, str]] = Counter()
        self.faults: list[str] = []
        self.calm_from_s = 0.0

    def begin(self, order: Order, worker: str, now_s: float) -> Execution:
        """Write down that an execution begins."""
        execution = Execution(order.id, key_of(order), worker, now_s)
        self.executions.append(execution)
        return execution

    def fault(self, kind: str, over_s: float) -> None:
        """Write down that a fault hit, and at which simulated second all that it broke is mended."""
        self.faults.append(kind)
        self.calm_from_s = max(self.calm_from_s, over_s)

    def running(self, worker: str | None = None) -> list[Execution]:
        """Return what has begun and not ended, of one worker or of all."""
        return [one for one in self.executions if not one.how and worker in (None, one.worker)]


def end(execution: Execution, how: str, now_s: float) -> None:
    """Write down how an execution ended; the first end counts."""
    if not execution.how:
        execution.how, execution.ended_s = how, now_s


def key_of(order: Order) -> AttemptKey:
    """Return the attempt that an order hands over."""
    return order.workflow_instance_id, order.task, order.attempt
