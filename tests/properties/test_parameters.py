"""Whatever a value holds, its references are resolved or refused."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.parameters import Scope, references, resolve
from orchestrator.errors import UnresolvedParameter


@settings(deadline=None)  # the machine may be busy
@given(
    st.recursive(
        st.text(alphabet="${}.*ab\\ "),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_any_value_is_resolved_or_refused(value: Any) -> None:
    """No text brings another exception."""
    scope = Scope(names={"a": "${b}", "b": 1}, outputs={"a": {"b": 2}})
    try:
        resolve(value, scope)
    except UnresolvedParameter:
        return
    references(value)
