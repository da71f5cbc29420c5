"""Whatever a text holds, it is evaluated as an expression or refused."""

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.authoring.expressions import ExpressionFault, evaluate, parse
from orchestrator.core.parameters import Scope
from orchestrator.errors import UnresolvedParameter

SCOPE = Scope(names={"rows": 3, "region": "eu", "shops": [1, 2]}, outputs={"my-task": {"n": 5}})


@settings(deadline=None)  # the machine may be busy
@given(st.text(alphabet="${}abx.()[]'\"+>!?:, 019\\map") | st.text(max_size=20))
def test_any_text_is_evaluated_or_refused(source: str) -> None:
    """No text brings another exception."""
    try:
        evaluate(parse(source), SCOPE)
    except (ExpressionFault, UnresolvedParameter):
        return
