"""A measurement says what was measured, beside what, and whether its bar holds."""

import pytest

from benchmarks.__main__ import main
from benchmarks.measurement import Bar, Measurement


def make_measurement(*values: float, bar: Bar | None = None, **yardsticks: list[float]) -> Measurement:
    """Return a measurement of tasks per second with these rounds."""
    return Measurement(
        name="fanout",
        unit="tasks/s",
        values=values,
        yardsticks=yardsticks,
        bar=bar or Bar(yardstick="loop", comparison=">=", limit=0.6),
    )


def test_value_and_ratio_are_those_of_the_medians() -> None:
    """One slow round changes neither the value nor the ratio, but the spread."""
    measurement = make_measurement(100, 10, 120, loop=[200, 50, 210])

    document = measurement.document({"cpus": 2})

    assert document["value"] == 100
    assert document["yardsticks"] == {"loop": 200}
    assert document["ratios"] == {"loop": 0.5}
    assert document["spread"] == [10, 120]
    assert document["rounds"] == 3
    assert document["environment"] == {"cpus": 2}


@pytest.mark.parametrize(
    ("bar", "holds"),
    [
        (Bar(yardstick="loop", comparison=">=", limit=0.5), True),
        (Bar(yardstick="loop", comparison=">=", limit=0.51), False),
        (Bar(yardstick="loop", comparison="<=", limit=0.5), True),
        (Bar(yardstick=None, comparison=">=", limit=101), False),
    ],
)
def test_bar_compares_the_ratio_or_the_value(bar: Bar, *, holds: bool) -> None:
    """A bar may lie on the ratio to a yardstick or on the figure itself."""
    measurement = make_measurement(100, loop=[200], bar=bar)

    assert measurement.document({})["holds"] is holds
    assert measurement.document({})["bar"] == str(bar)


def test_person_reads_value_yardstick_and_bar() -> None:
    """The text names the figures and says aloud when a bar was missed."""
    lines = make_measurement(100, loop=[200]).lines()

    assert lines == [
        "fanout: 100.0 tasks/s   (rounds 1, 100.0 to 100.0)",
        "  loop: 200.0 tasks/s   (ratio 0.50)",
        "  bar loop >= 0.6: MISSED",
    ]


@pytest.mark.parametrize(
    "arguments", [["unknown"], [], ["fanout", "--rounds", "0"], ["fanout", "--rounds", "many"]]
)
def test_wrong_arguments_end_with_one_message(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """An unknown benchmark or a bad number of rounds is refused before anything starts."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert "error: " in capsys.readouterr().err
