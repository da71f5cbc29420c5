"""What `deploy` says remote workers must have."""

from orchestrator.authoring.load import load_text
from orchestrator.service.files import needed_on_workers


def test_each_module_is_named_once() -> None:
    """Those of callables; scripts and other types need nothing installed."""
    definitions = load_text(
        "workflow: {name: w}\ntasks:\n"
        '  - {name: a, type: python, call: "shop.jobs:load"}\n'
        '  - {name: b, type: python, call: "shop.jobs:clean"}\n'
        '  - {name: c, type: python, call: "audit:check"}\n'
        '  - {name: d, type: python, script: "import shop"}\n'
        '  - {name: e, type: shell, run: "true"}\n'
    )

    assert needed_on_workers(definitions) == [
        "workers must be able to import: audit",
        "workers must be able to import: shop.jobs",
    ]
