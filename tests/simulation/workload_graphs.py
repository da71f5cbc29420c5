"""Owns the drawing of graphs: who needs whom, in the forms that workflows have."""

from collections.abc import Callable, Mapping
from random import Random

Needs = list[tuple[int, ...]]
"""For each task, the positions of its upstreams; all of them stand before it."""


def draw_needs(dice: Random, number: int) -> Needs:
    """Return the edges of a graph of `number` tasks, of a form that is drawn too."""
    names = list(FORMS)
    form = dice.choices(names, [_WEIGHTS[name] for name in names])[0]
    return FORMS[form](dice, number)


def draw_size(dice: Random, most: int = 60) -> int:
    """Return a number of tasks from 1 to `most`: usually a few, now and then many."""
    low, high = dice.choices([(1, 3), (4, 8), (9, 16), (17, 39), (40, 60)], [26, 46, 22, 3, 3])[0]
    return min(dice.randint(low, high), most)


def tangle(dice: Random, number: int) -> Needs:
    """Return a graph whose tasks need any few that stand before them, rather near ones."""
    return [_some_before(dice, index) for index in range(number)]


def chain(_dice: Random, number: int) -> Needs:
    """Return one task after the other."""
    return [(index - 1,) if index else () for index in range(number)]


def fan(_dice: Random, number: int) -> Needs:
    """Return one task, many that need it, and one that needs them all."""
    last = number - 1
    middle = tuple(range(1, last))
    return [() if index == 0 else (0,) if index < last else middle or (0,) for index in range(number)]


def wide_join(_dice: Random, number: int) -> Needs:
    """Return roots, and one task that needs them all."""
    last = number - 1
    return [() if index < last else tuple(range(last)) for index in range(number)]


def diamonds(_dice: Random, number: int) -> Needs:
    """Return a chain of diamonds: one task, then two beside each other, then one again."""
    needs: Needs = []
    for index in range(number):
        match index % 3:
            case 0:
                needs.append((index - 2, index - 1) if index else ())
            case 1:
                needs.append((index - 1,))
            case _:
                needs.append((index - 2,))
    return needs


def layers(dice: Random, number: int) -> Needs:
    """Return layers of equal width, each task needing some of the layer before."""
    width = dice.randint(2, 6)
    needs: Needs = []
    for index in range(number):
        start = (index // width - 1) * width
        before = range(start, start + width) if start >= 0 else range(0)
        needs.append(tuple(sorted(dice.sample(before, min(len(before), dice.randint(1, 4))))))
    return needs


def islands(dice: Random, number: int) -> Needs:
    """Return several small chains beside each other."""
    length = dice.randint(1, 4)
    return [(index - 1,) if index % length else () for index in range(number)]


Form = Callable[[Random, int], Needs]

FORMS: Mapping[str, Form] = {
    "tangle": tangle,
    "chain": chain,
    "fan": fan,
    "wide_join": wide_join,
    "diamonds": diamonds,
    "layers": layers,
    "islands": islands,
}
_WEIGHTS = {
    "tangle": 40,
    "chain": 10,
    "fan": 12,
    "wide_join": 8,
    "diamonds": 12,
    "layers": 14,
    "islands": 4,
}


def _some_before(dice: Random, index: int) -> tuple[int, ...]:
    if index == 0 or dice.random() < 0.12:
        return ()
    number = min(index, dice.choices([1, 2, 3, 5], [50, 30, 15, 5])[0])
    near = range(max(0, index - 8), index)
    return tuple(sorted(dice.sample(near, min(number, len(near)))))
