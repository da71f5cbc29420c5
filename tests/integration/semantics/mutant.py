"""Owns a mutant of one statement of the semantics as a value."""

from dataclasses import dataclass

from tests.simulation.mutant_patch import Mutant


@dataclass(frozen=True, slots=True, kw_only=True)
class SemanticMutant:
    """A small patch of the product that makes one statement wrong.

    Attributes:
        statement: Its id in `docs/semantics-tests.md`.
        breaks: What it does, in one line.
        target: As in `Mutant`.
        old: What is replaced; it stands there exactly once.
        new: What it is replaced by.
        noticed_by: The test that fails then, as the document names it: `unit/core/test_node.py::test_…`.
    """

    statement: str
    breaks: str
    target: str
    old: str
    new: str
    noticed_by: str

    @property
    def patch(self) -> Mutant:
        """The patch itself."""
        return Mutant(
            name=self.statement,
            breaks=self.breaks,
            target=self.target,
            old=self.old,
            new=self.new,
            caught_by=None,
        )
