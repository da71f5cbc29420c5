"""Owns the beginning and the end of one `run`: check everything, then be a guest of a set-up.

It loads little: a missing set-up begins to start while `performing` and its libraries are loaded.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.authoring.names import did_you_mean
from orchestrator.config import Settings
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.embedded.guest import Guest
from orchestrator.embedded.home import Home
from orchestrator.embedded.launch import Launch
from orchestrator.errors import NotFound, UserError
from orchestrator.service import files
from orchestrator.service.parameters import parameters_from_texts, read_pairs

LEAVE_PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What the user asks `run` for.

    Attributes:
        workflow: Which one, if the file holds several.
        parameters: `NAME=VALUE` texts.
    """

    file: Path
    workflow: str | None = None
    parameters: tuple[str, ...] = ()
    start_nodes: tuple[str, ...] = ()
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A request whose every part was checked.

    Attributes:
        found: All workflows of the file.
        chosen: The one to run.
        parameters: Its start parameters.
        files: What they were read from.
    """

    found: list[WorkflowDefinition]
    chosen: WorkflowDefinition
    parameters: dict[str, Any] = field(default_factory=dict)
    start_nodes: tuple[str, ...] = ()
    dry_run: bool = False
    files: tuple[Path, ...] = ()


def prepare(request: RunRequest) -> Prepared:
    """Read and check everything that the user has given; nothing is started before that.

    Raises:
        UserError: The file or a parameter is wrong.
    """
    found = files.read_runnable([request.file])
    chosen = choose(found, request)
    parameters = parameters_from_texts(chosen, read_pairs(request.parameters))
    files.check_start_nodes(chosen, request.start_nodes)
    return Prepared(
        found=found,
        chosen=chosen,
        parameters=parameters,
        start_nodes=request.start_nodes,
        dry_run=request.dry_run,
        files=(request.file,),
    )


def choose(found: list[WorkflowDefinition], request: RunRequest) -> WorkflowDefinition:
    """Return the workflow that shall run.

    Raises:
        UserError: None was named, and the file holds several that no other one calls.
        NotFound: It does not hold the one that was named.
    """
    names = [definition.name for definition in found]
    about = files.what_it_is_about(found)
    if request.workflow is None and about is not None:
        return about
    if request.workflow is None:
        raise UserError(f"{request.file}: choose one with --workflow: {', '.join(names)}")
    for definition in found:
        if definition.name == request.workflow:
            return definition
    raise NotFound(
        f"{request.file}: no workflow '{request.workflow}'" + did_you_mean(request.workflow, names)
    )


def what_is_started(settings: Settings) -> str:
    """Return the line that tells the user why nothing is to be seen yet."""
    return f"starting what is missing in {settings.home} …"


@contextmanager
def stay(settings: Settings, found: list[WorkflowDefinition], warm: Launch | None = None) -> Iterator[Guest]:
    """Be a guest of the home's set-up that can run these definitions; on leaving, wait if it ends with us.

    Raises:
        SetUpFailed: There is none, and none can be started.
        SettingsError: The home cannot be used.
    """
    home = Home(path=settings.home)
    home.prepare()  # before anybody is started who could only write why not where nothing can be written
    guest = Guest(home, files.wish_for(settings, found), warm)
    guest.step(0.0)
    try:
        yield guest
    except KeyboardInterrupt:
        raise  # the end of this program is the end of its line: nobody waits for a good-bye
    except BaseException:
        guest.leave(LEAVE_PATIENCE_S)
        raise
    guest.leave(LEAVE_PATIENCE_S)
