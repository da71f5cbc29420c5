"""The group commit's rows as one call of PostgreSQL, and what becomes of it when the call is not to be had."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, make_url, text

from orchestrator.core.changes import InstanceChange
from orchestrator.errors import LeaseLost, RevisionLost
from orchestrator.store.session import open_engine
from tests.contract.store.bench import Bench, listening, make_attempt, make_bench

USER = "no_temporary_objects"


def write_one(bench: Bench) -> None:
    """Change a run and one of its attempts, and add another one."""
    loaded = bench.run_with("a")
    new = (make_attempt(loaded, "b", sequence=2),)
    changed = (replace(loaded.attempts[0], reason="x"),)
    bench.commit(InstanceChange(head=loaded.head, revision=loaded.revision, new=new, changed=changed))
    found = bench.load(loaded.head.id)
    assert [(one.task, one.reason) for one in found.attempts] == [("a", "x"), ("b", None)]


def collecting(statements: list[str]) -> Callable[..., None]:
    """Return a listener that notes statements."""

    def listen(_connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    return listen


def test_a_batch_is_one_statement_on_a_connection_that_knows_the_call(postgres_url: str) -> None:
    """Fence, heads and attempts take one round trip; only the first batch of a connection teaches it."""
    bench = make_bench(open_engine(postgres_url, "master", pool_size=1))
    loaded = bench.run_with("a")
    statements: list[str] = []

    with listening(bench.engine, "before_cursor_execute", collecting(statements)):
        bench.commit(InstanceChange(head=loaded.head, revision=loaded.revision, changed=loaded.attempts))

    assert len(statements) == 1
    assert "group_commit" in statements[0]
    bench.engine.dispose()


def test_a_first_batch_that_is_refused_leaves_a_usable_connection(postgres_url: str) -> None:
    """A rollback removes the function that the connection was taught; the next batch teaches it again."""
    # Teeth: fails when `is_possible` itself notes that the connection has the function.
    bench = make_bench(open_engine(postgres_url, "master", pool_size=1))
    loaded = bench.submit_and_load()

    with pytest.raises(RevisionLost):
        bench.commit(InstanceChange(head=loaded.head, revision=loaded.revision + 7))

    write_one(bench)
    bench.engine.dispose()


def test_a_user_without_temporary_objects_commits_by_plain_statements(postgres_url: str) -> None:
    """A hardened database loses speed, not the fence, the guards or the rows."""
    admin = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE ROLE {USER} LOGIN"))
        connection.execute(text(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {USER}"))
        connection.execute(text(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {USER}"))
        connection.execute(
            text(f"REVOKE TEMPORARY ON DATABASE {make_url(postgres_url).database} FROM PUBLIC")
        )
    url = make_url(postgres_url).set(username=USER).render_as_string(hide_password=False)
    bench = make_bench(open_engine(url, "master", pool_size=1))
    try:
        write_one(bench)
        loaded = bench.submit_and_load()
        with pytest.raises(RevisionLost):
            bench.commit(InstanceChange(head=loaded.head, revision=loaded.revision + 7))
        with pytest.raises(LeaseLost):
            replace(bench, leases=replace(bench.leases, owner="somebody else")).commit()
    finally:
        bench.engine.dispose()
        with admin.connect() as connection:
            connection.execute(
                text(f"GRANT TEMPORARY ON DATABASE {make_url(postgres_url).database} TO PUBLIC")
            )
            connection.execute(text(f"DROP OWNED BY {USER}"))
            connection.execute(text(f"DROP ROLE {USER}"))
        admin.dispose()
