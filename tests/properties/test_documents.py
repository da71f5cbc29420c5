"""Whatever a document holds, it is loaded or refused."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.authoring.load import load_text
from orchestrator.authoring.tasks import MODELS, field_names
from orchestrator.core.definition import from_document, to_document
from orchestrator.errors import DefinitionError

WORDS = st.sampled_from(
    ["workflow", "tasks", "a", "b", "noop", "shell", "switch", "conditions", "dependent", "approval", "sql",
     "celery", "http", "python", "sub_workflow", "${a.b}", "$[yyyy]", "${", "1 > 0", "0 2 * * *", "10s", "success",
     "integer",
     *sorted({name for model in MODELS.values() for name in field_names(model)})]
)  # fmt: skip
SCALARS = WORDS | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4)
)
TASKS = st.lists(
    st.fixed_dictionaries({"name": WORDS, "type": WORDS}).flatmap(
        lambda task: st.dictionaries(WORDS, VALUES, max_size=6).map(lambda more: {**more, **task})
    ),
    max_size=4,
)


@settings(deadline=None)  # the machine may be busy
@given(
    st.fixed_dictionaries({"workflow": st.dictionaries(WORDS, VALUES) | VALUES, "tasks": TASKS | VALUES})
    | VALUES
)
def test_any_document_is_loaded_or_refused(document: Any) -> None:
    """No document brings an exception other than DefinitionError; what is taken can be stored and read back."""
    try:
        definitions = load_text(json.dumps(document))
    except DefinitionError:
        return
    for definition in definitions:
        assert from_document(json.loads(json.dumps(to_document(definition)))) == definition
