"""Owns the name of every Redis key, and how long each lives.

| key | type | lives | written by | what |
|---|---|---|---|---|
| `events:{slot}` | stream | for ever; an entry until its verdict | workers | events on their way |
| `events:dead` | stream | for ever, the newest 10,000 | masters | events nobody can use, with the reason |
| `redis:generation` | hash | for ever | masters | the generation, and the run id it was made for |
| `inbox:{worker}` | list | a day after the last verdict | masters | verdicts and stop requests for a worker |
| `claim:{order}` | string | longer than its message | workers, masters | who may run a hand-over |
| `stop:{order}` | string | a day | masters | an attempt that shall end, and why |
| `worker:{name}` | hash | a day after the last heartbeat | workers | the last heartbeat |
| `workers:seen` | sorted set | a day after the last heartbeat | workers | worker name by last heartbeat |
| `drain:{worker}` | string | a week, renewed while it lives | people | the worker takes nothing new |
| `master:{name}` | string | a minute | masters | status of a master, as JSON |
| `masters:seen` | sorted set | a minute | masters | master name by time of last status |
| `masters:control` | list | a day | people | requests about parked lanes |

Every name has the global prefix, which Celery's own keys have too; every own name holds a colon, so that
no queue (worker group) can take it.
"""

from datetime import timedelta

GROUP = "masters"
"""Consumer group of every event stream."""

MESSAGE_LIFE = timedelta(hours=24)
"""A message in the broker that nobody took within this time is void: the worker that gets it drops it."""

CLAIM_TTL_S = int((MESSAGE_LIFE + timedelta(hours=2)).total_seconds())
"""Longer than any message can live, with two hours for clocks that are wrong."""

INBOX_TTL_S = 24 * 3600
STOP_TTL_S = 24 * 3600
WORKER_TTL_S = 24 * 3600
DRAIN_TTL_S = 7 * 24 * 3600
MASTER_TTL_S = 60
CONTROL_TTL_S = 24 * 3600

WITHOUT_TTL = ("events:*", "redis:generation")
"""The only own keys that never expire."""


class Keys:
    """Makes the names of keys.

    Args:
        prefix: The global prefix, colon included.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def events(self, slot: int) -> str:
        """Stream of the events of a slot."""
        return f"{self.prefix}events:{slot}"

    def dead(self) -> str:
        """Stream of the dead letters."""
        return f"{self.prefix}events:dead"

    def generation(self) -> str:
        """Hash that holds the generation of this life of Redis."""
        return f"{self.prefix}redis:generation"

    def inbox(self, worker: str) -> str:
        """List of what masters have to tell a worker."""
        return f"{self.prefix}inbox:{worker}"

    def claim(self, order_id: str) -> str:
        """String that says who may run a hand-over."""
        return f"{self.prefix}claim:{order_id}"

    def stop(self, order_id: str) -> str:
        """String that says why an attempt shall end."""
        return f"{self.prefix}stop:{order_id}"

    def worker(self, name: str) -> str:
        """Hash of a worker's last heartbeat."""
        return f"{self.prefix}worker:{name}"

    def workers(self) -> str:
        """Sorted set of worker names by the time they were last seen."""
        return f"{self.prefix}workers:seen"

    def drain(self, worker: str) -> str:
        """String that is there while a worker shall take nothing new."""
        return f"{self.prefix}drain:{worker}"

    def master(self, name: str) -> str:
        """String of a master's status."""
        return f"{self.prefix}master:{name}"

    def masters(self) -> str:
        """Sorted set of master names by the time they were last seen."""
        return f"{self.prefix}masters:seen"

    def control(self) -> str:
        """List of people's requests to the masters."""
        return f"{self.prefix}masters:control"
