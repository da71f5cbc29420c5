"""Key names: documented, prefixed, and out of the way of queues."""

import inspect

import pytest

from orchestrator.broker import keys
from orchestrator.broker.keys import Keys

MAKERS = [name for name, _ in inspect.getmembers(Keys, inspect.isfunction) if not name.startswith("_")]


@pytest.mark.parametrize("maker", MAKERS)
def test_every_key_is_documented_and_cannot_be_a_queue(maker: str) -> None:
    """The module's table names each key; a worker group has no colon in its name."""
    make = getattr(Keys("prefix:"), maker)
    named = [f"{{{one}}}" for one in inspect.signature(make).parameters]

    name = make(*named).removeprefix("prefix:")

    assert ":" in name
    documented = {
        line.split("`")[1].split("{")[0] for line in (keys.__doc__ or "").splitlines() if "`" in line
    }
    assert name.split("{")[0] in documented
