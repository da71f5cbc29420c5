"""Owns the history of a test: every other workflow has done what it should."""

from collections.abc import Iterable

from orchestrator.core.dependence import Answer, Question
from orchestrator.core.status import TaskState, WorkflowState

_DONE = Answer(run=0, state=WorkflowState.SUCCESS, task_state=TaskState.SUCCESS, open=True)


class EverythingDone:
    """Answers that each run and each task that somebody depends on has succeeded."""

    def answers(self, questions: Iterable[Question]) -> dict[Question, Answer]:
        """Return the one answer to every question."""
        return dict.fromkeys(questions, _DONE)
