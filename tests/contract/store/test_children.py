"""How children stand, read from real rows on both databases."""

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest
from sqlalchemy import Connection, event, text

from orchestrator.core.changes import InstanceChange
from orchestrator.core.command import CommandKind
from orchestrator.core.status import WorkflowState
from orchestrator.store.children import Children
from orchestrator.store.session import is_postgres, writing
from tests.contract.store.bench import AT, Bench

FROM_PARENT = {"parent": 1, "task": "sub"}

BROKEN = {
    True: text("UPDATE command SET body = '7' WHERE kind = 'RECOVER'"),
    False: text("UPDATE command SET body = '{' WHERE kind = 'RECOVER'"),
}
"""By whether it is PostgreSQL, which takes nothing but JSON."""


def a_child(bench: Bench, state: WorkflowState) -> int:
    """Return a run in this state."""
    run = bench.submit_and_load()
    bench.commit(InstanceChange(head=replace(run.head, state=state, ended_at=AT), revision=run.revision))
    return run.head.id


def is_to_recover(bench: Bench, number: int) -> bool:
    """Return what the database says of a run."""
    return Children(bench.engine).standings([number])[number].is_to_recover


@pytest.mark.parametrize("state", [WorkflowState.FAILURE, WorkflowState.STOPPED])
def test_a_child_that_its_parent_has_asked_to_recover_is_told(bench: Bench, state: WorkflowState) -> None:
    """As long as the mail waits; another child is not concerned."""
    asked, other = a_child(bench, state), a_child(bench, state)
    bench.commands.send(asked, CommandKind.RECOVER, FROM_PARENT)

    assert (is_to_recover(bench, asked), is_to_recover(bench, other)) == (True, False)


@pytest.mark.parametrize(
    ("kind", "body"),
    [(CommandKind.RECOVER, {"run_count": 1}), (CommandKind.STOP, FROM_PARENT)],
)
def test_what_brings_no_further_look_is_not_waited_for(
    bench: Bench, kind: CommandKind, body: Mapping[str, object]
) -> None:
    """A person's recover may come to nothing without an answer; other mail does not let it run again."""
    child = a_child(bench, WorkflowState.FAILURE)
    bench.commands.send(child, kind, body)

    assert not is_to_recover(bench, child)


def test_a_command_that_cannot_be_read_hides_no_child(bench: Bench) -> None:
    """It is a master's to move it away; how its run stands is known all the same."""
    child = a_child(bench, WorkflowState.FAILURE)
    bench.commands.send(child, CommandKind.RECOVER, FROM_PARENT)
    with writing(bench.engine) as connection:
        connection.execute(BROKEN[is_postgres(bench.engine)])

    assert not is_to_recover(bench, child)


def test_a_child_that_goes_on_while_it_is_looked_at_has_not_ended(bench: Bench) -> None:
    """Its master hears the RECOVER between two statements of the look: nobody sees an end without that mail.

    Teeth: on PostgreSQL it fails if the rows of runs are read before the mail.
    """
    child = a_child(bench, WorkflowState.FAILURE)
    bench.commands.send(child, CommandKind.RECOVER, FROM_PARENT)
    heard: list[str] = []

    def hear(_connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        if heard or not re.search(r"FROM (command|workflow_instance)\b", statement):
            return
        heard.append(statement)
        with writing(bench.engine) as beside:
            beside.execute(
                text("UPDATE workflow_instance SET state = 'RUNNING' WHERE id = :id"), {"id": child}
            )
            beside.execute(text("DELETE FROM command WHERE kind = 'RECOVER'"))

    event.listen(bench.engine, "after_cursor_execute", hear)
    try:
        found = Children(bench.engine).standings([child])[child]
    finally:
        event.remove(bench.engine, "after_cursor_execute", hear)

    assert heard
    assert found.state is WorkflowState.RUNNING or found.is_to_recover
