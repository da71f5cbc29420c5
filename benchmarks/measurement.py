"""Owns a measurement: rounds of figures beside their yardsticks, the bar to clear, and how both are shown."""

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

_COMPARISONS = {">=": operator.ge, "<=": operator.le}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What has to hold: the ratio to a yardstick, or the value itself, compared with a limit.

    Attributes:
        yardstick: Whose ratio counts; `None` for the value.
        comparison: `>=` or `<=`.
        limit: The figure to reach or to stay below.
    """

    yardstick: str | None
    comparison: str
    limit: float

    def __str__(self) -> str:
        """Render as `apply_async >= 0.6`."""
        return f"{self.yardstick or 'value'} {self.comparison} {self.limit:g}"

    def holds(self, value: float, ratios: Mapping[str, float]) -> bool:
        """Return whether the figures clear the bar."""
        figure = value if self.yardstick is None else ratios[self.yardstick]
        return bool(_COMPARISONS[self.comparison](figure, self.limit))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """All rounds of one benchmark.

    Attributes:
        name: The benchmark.
        unit: Unit of every figure, `tasks/s` for instance.
        values: One figure per round.
        yardsticks: Name of a yardstick to its figures, one per round, taken in the same rounds.
        bar: What has to hold.
        details: What else a reader needs to judge the figures.
    """

    name: str
    unit: str
    values: Sequence[float]
    yardsticks: Mapping[str, Sequence[float]] = field(default_factory=dict)
    bar: Bar
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """Median of the rounds."""
        return median(self.values)

    @property
    def ratios(self) -> dict[str, float]:
        """The value divided by the median of each yardstick."""
        return {name: self.value / median(figures) for name, figures in self.yardsticks.items()}

    @property
    def holds(self) -> bool:
        """Whether the bar is cleared."""
        return self.bar.holds(self.value, self.ratios)

    def document(self, environment: Mapping[str, Any]) -> dict[str, Any]:
        """Return the JSON object that `--json` prints for one benchmark."""
        return {
            "name": self.name,
            "unit": self.unit,
            "value": round(self.value, 3),
            "yardsticks": {name: round(median(figures), 3) for name, figures in self.yardsticks.items()},
            "ratios": {name: round(ratio, 3) for name, ratio in self.ratios.items()},
            "rounds": len(self.values),
            "spread": [round(min(self.values), 3), round(max(self.values), 3)],
            "bar": str(self.bar),
            "holds": self.holds,
            "environment": {**environment, **self.details},
        }

    def lines(self) -> list[str]:
        """Return the lines that a person reads."""
        low, high = min(self.values), max(self.values)
        return [
            f"{self.name}: {self.value:.1f} {self.unit}   (rounds {len(self.values)}, {low:.1f} to {high:.1f})",
            *(
                f"  {name}: {median(self.yardsticks[name]):.1f} {self.unit}   (ratio {ratio:.2f})"
                for name, ratio in self.ratios.items()
            ),
            f"  bar {self.bar}: {'holds' if self.holds else 'MISSED'}",
        ]
