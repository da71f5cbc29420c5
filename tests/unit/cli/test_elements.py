"""How maps with many elements are shown."""

from typing import Any

from orchestrator.cli.elements import MOST_SHOWN, in_short


def rows(states: list[str], name: str = "load") -> list[dict[str, Any]]:
    """Return the attempts of a map and its elements, as `runs show` lists them."""
    elements = [{"name": f"{name}[{index}]", "state": state} for index, state in enumerate(states)]
    return [{"name": name, "state": "RUNNING"}, *elements]


def test_few_elements_are_all_shown() -> None:
    """A dozen can be read."""
    some = rows(["SUCCESS"] * MOST_SHOWN)

    assert in_short(some) == some


def test_of_many_elements_those_that_matter_are_shown_and_the_rest_is_counted() -> None:
    """At the place of the first; other tasks stay where they are."""
    states = ["SUCCESS"] * 900 + ["FAILURE", "RUNNING"] + ["SUBMITTED"] * 98
    behind = {"name": "behind", "state": "SUCCESS"}

    shown = in_short([*rows(states), behind])

    assert [(one["name"], one["state"]) for one in shown] == [
        ("load", "RUNNING"),
        ("load[900]", "FAILURE"),
        ("load[901]", "RUNNING"),
        ("load[…]", "98 SUBMITTED, 900 SUCCESS"),
        ("behind", "SUCCESS"),
    ]


def test_not_even_all_failures_are_shown() -> None:
    """A dozen of them says enough; each map is shortened by itself."""
    shown = in_short([*rows(["FAILURE"] * 50), *rows(["SUCCESS"] * 3, "other")])

    assert len(shown) == 1 + MOST_SHOWN + 1 + 4
    assert shown[1 + MOST_SHOWN]["state"] == "38 FAILURE"
