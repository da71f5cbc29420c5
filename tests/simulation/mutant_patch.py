"""Owns mutants as values, and how one is applied to the running program and taken back."""

import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from textwrap import dedent
from types import CodeType, FunctionType
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A small patch of the product that breaks one promise.

    Attributes:
        name: For people and for the table.
        breaks: What it does, in one line.
        target: `module:function`, `module:Class.method`, or `module:CONSTANT` (a text).
        old: What is replaced; it stands there exactly once. Indented as in the function's own source, which
            begins at the left margin.
        new: What it is replaced by.
        caught_by: A seed, of the first 500, whose simulation notices; `None`: none did so far.
        provokes: What the oracle says of the patch itself and not of its consequences: it does not count.
    """

    name: str
    breaks: str
    target: str
    old: str
    new: str
    caught_by: int | None
    provokes: str | None = None


@contextmanager
def mutated(mutant: Mutant) -> Iterator[None]:
    """Let the product be the mutant while the context is open.

    A function gets another code object in its place, so that whoever imported it by name has the mutant too.

    Raises:
        AssertionError: The text that is to be replaced is not there exactly once: the mutant is out of date.
    """
    target = pkgutil.resolve_name(mutant.target)
    undo = _patch_text(mutant, target) if isinstance(target, str) else _patch_code(mutant, target)
    try:
        yield
    finally:
        undo()


def _patch_text(mutant: Mutant, text: str) -> Callable[[], None]:
    module_name, _, name = mutant.target.partition(":")
    module = sys.modules[module_name]
    setattr(module, name, _replaced(mutant, text))
    return lambda: setattr(module, name, text)


def _patch_code(mutant: Mutant, target: Any) -> Callable[[], None]:
    function = inspect.unwrap(target)
    assert isinstance(function, FunctionType), f"{mutant.name}: {mutant.target} is no function"
    original = function.__code__
    source = _replaced(mutant, dedent(inspect.getsource(function)))
    function.__code__ = _code_of(original, source)

    def undo() -> None:
        function.__code__ = original

    return undo


def _replaced(mutant: Mutant, source: str) -> str:
    number = source.count(mutant.old)
    assert number == 1, (
        f"mutant {mutant.name} is out of date: {mutant.old!r} stands {number} times in its target"
    )
    return source.replace(mutant.old, mutant.new)


def _code_of(original: CodeType, source: str) -> CodeType:
    """Return the code of the one function in `source`, as if it stood where the original stands."""
    lines = "\n" * (original.co_firstlineno - 1)
    whole = compile(lines + source, original.co_filename, "exec")
    return next(
        one for one in whole.co_consts if isinstance(one, CodeType) and one.co_name == original.co_name
    )
