"""Files from task to task, as the documentation shows it: the name travels, the file lies where all reach it."""

import re
from pathlib import Path

from orchestrator.authoring.load import load_text
from orchestrator.core.inputs import resolve_inputs
from orchestrator.core.surroundings import Surroundings
from tests.builders import a_head, an_attempt

PAGE = Path(__file__).parents[3] / "docs" / "yaml.md"


def test_the_name_of_a_file_travels_as_an_output() -> None:
    """The example of the page: the script gets place and day, the reader what the script wrote down."""
    section = PAGE.read_text(encoding="utf-8").partition("## Files from task to task")[2]
    found = re.search(r"```yaml\n(.+?)```", section, re.DOTALL)
    assert found is not None
    (definition,) = load_text(found[1])
    extract, load = definition.tasks
    head = a_head(definition)
    written = {"extract": {"file": "/srv/shared/2026-10-31.csv"}}

    before = resolve_inputs(
        extract, Surroundings(definition=definition, head=head, attempt=an_attempt("extract"))
    )
    behind = resolve_inputs(
        load, Surroundings(definition=definition, head=head, attempt=an_attempt("load"), outputs=written)
    )

    assert (before.parameters["place"], before.parameters["day"]) == ("/srv/shared", "2026-10-31")
    assert before.spec["run"] == extract.spec["run"]
    assert behind.params == {"url": "/srv/shared/2026-10-31.csv"}
