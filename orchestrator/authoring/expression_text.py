"""Owns how an expression is taken apart where no parser helps: its quoted texts, its macros, what these bind."""

import re

TEXT = r"""[rRbB]{0,2}(?:'''.*?'''|\"\"\".*?\"\"\"|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
"""A quoted text, as a pattern."""

BUILDER = r"\.\s*(?:map|filter|transformList|transformMap\w*)\s*\("
"""The beginning of a macro that builds a list or a map."""

MACRO = rf"(?:\.\s*(?:all|exists|exists_one|existsOne)\s*\(|{BUILDER})"
"""The beginning of any macro that goes through a list, as a pattern."""

_TEXT = re.compile(TEXT, re.DOTALL)
_BOUND = re.compile(MACRO + r"\s*([A-Za-z_]\w*)\s*,")


def without_texts(source: str) -> str:
    """Return an expression with its quoted texts emptied: what stands in one is no part of the language."""
    return _TEXT.sub("''", source)


def bound_names(source: str) -> set[str]:
    """Return the names that the macros of an expression give to elements: these are no variables."""
    return set(_BOUND.findall(source))
