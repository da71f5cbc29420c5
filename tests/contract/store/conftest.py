"""Fixtures of the store's contract tests."""

import pytest
from sqlalchemy import Engine

from tests.contract.store.bench import Bench, make_bench


@pytest.fixture
def bench(engine: Engine) -> Bench:
    """A migrated database of each kind, with a master that holds all slots."""
    return make_bench(engine)
