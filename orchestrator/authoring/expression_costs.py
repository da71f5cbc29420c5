"""Owns the reckoning of what an expression would cost, before it is worked out: roughly, in copied elements.

The numbers were measured; two million of them take about a quarter of a second. The evaluator compiles a regular
expression at each call, hence once for each element inside a macro, and a mere "any word" takes as long as 2,500
copies: its tables know the letters of every language.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.authoring.expression_text import BUILDER, MACRO, TEXT, bound_names, without_texts

MOST_FOR_A_PATTERN = 800_000
"""The evaluator refuses larger ones (10 MiB compiled), about 0.1 s."""

BYTES_FOR_A_COPY = 8
"""Of input: it is written as JSON to be measured, and handed to the evaluator."""

_MACRO = re.compile(MACRO)
_BUILDS = re.compile(BUILDER + r"|\bin\b")
_MATCHES = re.compile(
    rf"(?:(?P<receiver>[A-Za-z_]\w*)(?:\s*\.\s*\w+|\s*\[[^\[\]]*\])*\s*\.\s*)?\bmatches\s*\(\s*"
    rf"(?:(?P<literal>{TEXT})|(?:\$\{{(?P<reference>[^{{}}]*)\}}|(?P<name>\w+)))?\s*(?P<end>\))?|(?P<text>{TEXT})",
    re.DOTALL,
)

_ATOM = re.compile(
    r"(?P<any>\.)|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<digit>\\+[dDs])|(?P<large>\\+[^\W\dntr])"
    r"|(?P<close>\))|(?P<one>\\.|[^{])|(?P<counts>(?:\{[^}]*\})+)|\{",
    re.DOTALL,
)
_HEAVY = re.compile(r"\\+([^\Wntr])")
_WEIGHTS = {"any": 150, "set": 150, "digit": 250, "large": 2500, "one": 2, "close": 2}
_CASELESS_ONE = 100
_CALL = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What an expression is given.

    Attributes:
        values: By what the expression calls them, a reference without its `${}`.
        size: Of all of them as text, in characters.
        longest: How many elements the longest list or map has, at any depth.
    """

    values: Mapping[str, Any]
    size: int
    longest: int


def longest(values: Mapping[str, Any]) -> int:
    """Return how many elements the longest list or map in these values has, at any depth."""
    return max((len(one) for one in _parts(values) if not isinstance(one, str)), default=0)


def copies(source: str, inputs: Inputs) -> int:
    """Return about how many elements could be copied in the time that an expression takes.

    Args:
        source: The expression as the user wrote it.
        inputs: What it is given.
    """
    lists = _copied(source, inputs.longest)
    return lists + pattern_copies(source, inputs) + inputs.size // BYTES_FOR_A_COPY


def pattern_copies(source: str, inputs: Inputs) -> int:
    """Return what the regular expressions alone take; inside a macro each is compiled for each element."""
    calls = [call for call in _MATCHES.finditer(source) if call["text"] is None]
    if not calls:
        return 0
    bound = bound_names(source)
    times = max(inputs.longest, source.count(",") + 1) if _MACRO.search(source) else 1
    texts = max((len(one) for one in _parts(inputs.values) if isinstance(one, str)), default=0)
    total = 0
    for call in calls:
        looked_at = inputs.size if call["receiver"] in bound else texts * times
        total += _pattern_weight(call, source, bound, inputs) * times + looked_at
    return total


def weight(pattern: str) -> int:
    """Return what compiling `pattern` takes, in copies: its atoms, as often as they are repeated."""
    total, last, groups = _CALL, 0, 1
    for atom in _ATOM.finditer(pattern):
        if atom.lastgroup == "counts":
            times = _most(atom[0])
            total += last * (times - 1)
            groups *= times if last == _WEIGHTS["close"] else 1
        elif atom.lastgroup is not None:
            last = _atom_weight(atom.lastgroup, atom[0], caseless="(?" in pattern)
            total += last
        if total * groups > MOST_FOR_A_PATTERN:
            return MOST_FOR_A_PATTERN
    return total * groups


def _copied(source: str, elements: int) -> int:
    """Return how many elements of lists are copied: each step of what builds a list copies all before it."""
    source = without_texts(source)
    parts = source.count("+") + 1
    if not _MACRO.search(source):
        return parts**2 * elements
    builders = len(_BUILDS.findall(source))
    return (builders + parts**3) * elements**2 if builders or parts > 1 else elements


def _pattern_weight(call: re.Match[str], source: str, bound: set[str], inputs: Inputs) -> int:
    """Return the weight of what `matches` is given; of what can only be known by evaluating it, the most."""
    name = call["reference"] or call["name"]
    if not call["end"]:
        return MOST_FOR_A_PATTERN
    if call["literal"]:
        return weight(call["literal"])
    if name in bound and "+" not in without_texts(source):
        # an element: of a list that is given, or written in the source
        return max(weight(source), *(weight(one) for one in _parts(inputs.values) if isinstance(one, str)), 0)
    pattern = inputs.values.get(name) if name not in bound else None
    return weight(pattern) if isinstance(pattern, str) else MOST_FOR_A_PATTERN


def _atom_weight(kind: str, atom: str, *, caseless: bool) -> int:
    match kind:
        case "set":
            within = (_WEIGHTS["digit" if one in "dDs" else "large"] for one in _HEAVY.findall(atom))
            return _WEIGHTS["set"] + sum(within)
        case "one" if caseless:
            return _CASELESS_ONE
    return _WEIGHTS[kind]


def _most(counts: str) -> int:
    """Return how often `{2,5}` repeats what stands before it at most; `{2}{3}` six times."""
    product = 1
    for count in counts.split("}"):
        numbers = [int(one[:6]) for one in re.findall(r"\d+", count)]
        product = min(product * max([*numbers, 1]), MOST_FOR_A_PATTERN)
    return product


def _parts(values: Mapping[str, Any]) -> Iterator[Any]:
    """Yield every text, list and map in these values, at any depth."""
    waiting: list[Any] = list(values.values())
    while waiting:
        one = waiting.pop()
        if isinstance(one, str | list | tuple | Mapping):
            yield one
        if isinstance(one, Mapping):
            waiting.extend(one.values())
        elif isinstance(one, list | tuple):
            waiting.extend(one)
