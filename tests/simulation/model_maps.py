"""Owns what the rows of a map may look like: its group, its elements, and how many are active at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.simulation.model_attempts import SeenAttempt

BAD = frozenset({"FAILURE", "KILLED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenMap:
    """A map that was to run.

    Attributes:
        total: Elements of its list.
        rows: The attempts of its group in this beginning of the run.
        elements: Index to the state of the current attempt of an element.
        first: Number of the first of these attempts.
        interrupted: The run may have been stopped, or ended by a failure, at any moment.
    """

    total: int
    rows: Sequence[SeenAttempt]
    elements: Mapping[int, str]
    interrupted: bool
    first: int = 1

    @property
    def state(self) -> str:
        """How it ended."""
        return self.rows[-1].state


def map_faults(seen: SeenMap) -> Iterator[str]:
    """Yield what is wrong between a group and its elements."""
    if len(seen.rows) != 1:
        yield f"its group has {len(seen.rows)} attempts in a row, and nothing is tried again but elements"
    last = seen.rows[-1]
    if not last.current or last.failures or last.attempt != seen.first + len(seen.rows) - 1:
        yield f"its group's last attempt is {last.attempt}, current: {last.current}, failures: {last.failures}"
    unknown = [index for index in seen.elements if index >= seen.total]
    if unknown:
        yield f"it has {seen.total} elements, and attempts of {unknown}"
    bad = sorted(index for index, state in seen.elements.items() if state in BAD)
    missing = seen.total - len(seen.elements)
    match seen.state:
        case "SUCCESS" if bad or missing:
            yield f"it is SUCCESS without {missing} elements, and with these failed: {bad}"
        case "FAILURE" if not bad:
            yield "it is FAILURE, and none of its elements is"
        case "FAILURE" if missing and not seen.interrupted:
            yield f"it is FAILURE, and {missing} elements never began"
        case "KILLED" if not seen.interrupted:
            yield "it is KILLED, and nobody stopped it"
        case "SUCCESS" | "FAILURE" | "KILLED":
            return
        case _:
            yield f"it is left {seen.state}"


def crowd_faults(attempts: Sequence[SeenAttempt], most: int) -> Iterator[str]:
    """Yield if more elements of a map had begun and not ended, at any time, than may be at a time."""
    moments: list[tuple[object, int]] = []
    for one in attempts:
        if one.created_at is not None and one.ended_at is not None and one.created_at < one.ended_at:
            moments += [(one.created_at, 1), (one.ended_at, -1)]
    active = 0
    for _, change in sorted(moments, key=lambda moment: (str(moment[0]), moment[1])):
        active += change
        if active > most:
            yield f"{active} of its elements were active at a time, at most {most} may be"
            return
