"""How much a task may give."""

import pytest

from orchestrator.worker.executors.port import TaskFailure
from orchestrator.worker.outputs import LIMIT_BYTES, from_result, from_texts

AROUND = len('{"a":""}')


def test_outputs_have_a_limit_of_64_kib() -> None:
    """As JSON, whoever wrote them; one byte more is a failure that says so."""
    most = "x" * (64 * 1024 - AROUND)

    assert LIMIT_BYTES == 64 * 1024
    assert from_texts({"a": most}, {}) == from_result({"a": most}, {}) == {"a": most}
    with pytest.raises(TaskFailure, match="outputs too large"):
        from_texts({"a": most + "x"}, {})
    with pytest.raises(TaskFailure, match="outputs too large"):
        from_result({"a": most + "x"}, {})
