"""Owns one `run`: join or start a set-up, deploy, submit, follow to the end, leave."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.authoring.names import did_you_mean
from orchestrator.cli.follow import Watch, follow, last_line_reader
from orchestrator.cli.live import LastLine, View
from orchestrator.cli.session import open_backend
from orchestrator.config import Settings
from orchestrator.core.command import CommandKind
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.embedded.guest import Guest
from orchestrator.embedded.home import Home
from orchestrator.errors import Conflict, NotFound, UserError
from orchestrator.service import control, definitions, submission
from orchestrator.service.backend import Backend
from orchestrator.service.parameters import parameters_from_texts, read_pairs

LEAVE_PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What the user asks `run` for.

    Attributes:
        parameters: `NAME=VALUE` texts.
    """

    file: Path
    workflow: str | None = None
    parameters: tuple[str, ...] = ()
    start_nodes: tuple[str, ...] = ()
    dry_run: bool = False


def run_to_its_end(
    settings: Settings,
    request: RunRequest,
    make_view: Callable[[LastLine], View],
    tell: Callable[[str], None],
) -> tuple[dict[str, Any], bool]:
    """Run one workflow of a file to its end.

    Returns:
        The document of `runs show`, and whether the user pressed Ctrl-C.

    Raises:
        UserError: The file, a parameter or a setting is wrong; nothing was started.
    """
    found = definitions.read_files([request.file])
    chosen = choose(found, request)
    definitions.refuse_unsupported(found)
    parameters = parameters_from_texts(chosen, read_pairs(request.parameters))
    submission.check_start_nodes(chosen, request.start_nodes)
    with stay(settings, found) as guest:
        status = guest.wait_for(lambda one: one.is_open)
        with open_backend(status.applied_to(settings)) as backend:
            definitions.deploy(backend, found, online=True)
            stored = definitions.find(backend, chosen.name, None)
            options = submission.SubmitOptions(start_nodes=request.start_nodes, dry_run=request.dry_run)
            submitted = submission.submit(backend, stored, parameters, options)
            number = submitted["workflow_instance_id"]
            view = make_view(last_line_reader(settings.logs, number))
            return follow(backend, number, view, _watch(backend, guest, number, tell))


def choose(found: list[WorkflowDefinition], request: RunRequest) -> WorkflowDefinition:
    """Return the workflow that shall run.

    Raises:
        UserError: The file holds none or several and none was named.
        NotFound: It does not hold the one that was named.
    """
    names = [definition.name for definition in found]
    if request.workflow is None and len(found) == 1:
        return found[0]
    if request.workflow is None:
        raise UserError(f"{request.file}: choose one with --workflow: {', '.join(names) or 'it holds none'}")
    for definition in found:
        if definition.name == request.workflow:
            return definition
    raise NotFound(
        f"{request.file}: no workflow '{request.workflow}'" + did_you_mean(request.workflow, names)
    )


@contextmanager
def stay(settings: Settings, found: list[WorkflowDefinition]) -> Iterator[Guest]:
    """Be a guest of the home's set-up that can run these definitions; on leaving, wait if it ends with us."""
    guest = Guest(Home(path=settings.home), definitions.wish_for(settings, found))
    try:
        yield guest
    except KeyboardInterrupt:
        raise  # the end of this program is the end of its line: nobody waits for a good-bye
    except BaseException:
        guest.leave(LEAVE_PATIENCE_S)
        raise
    guest.leave(LEAVE_PATIENCE_S)


def _watch(backend: Backend, guest: Guest, number: int, tell: Callable[[str], None]) -> Watch:
    def on_interrupt() -> None:
        tell("stopping the workflow; Ctrl-C again leaves at once")
        try:
            control.control(backend, CommandKind.STOP, [number])
        except Conflict:
            return  # it has ended by itself meanwhile

    return Watch(pause=guest.step, clock=time.monotonic, on_interrupt=on_interrupt)
