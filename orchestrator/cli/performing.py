"""Owns the middle of one `run`: deploy, submit, follow to the end, show it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from orchestrator.cli.exit_codes import INTERRUPTED, NOT_SUCCESSFUL
from orchestrator.cli.follow import Interruptions, Watch, follow, last_line_reader
from orchestrator.cli.leftovers import find_leftovers, say_what_goes_on, say_what_is_left
from orchestrator.cli.live import make_view, print_summary
from orchestrator.cli.output import print_json, print_message
from orchestrator.cli.running import Prepared
from orchestrator.cli.session import open_backend
from orchestrator.config import Settings
from orchestrator.core.command import CommandKind
from orchestrator.embedded.guest import Guest
from orchestrator.errors import Conflict
from orchestrator.service import control, definitions, runs, submission
from orchestrator.service.backend import Backend
from orchestrator.service.finding import find


@dataclass(frozen=True, slots=True, kw_only=True)
class Performed:
    """A run that has ended.

    Attributes:
        settings: With the addresses of the set-up that ran it.
        document: Of `runs show`.
        interrupted: Whether Ctrl-C was pressed.
    """

    settings: Settings
    document: dict[str, Any]
    interrupted: bool


def perform(settings: Settings, guest: Guest, prepared: Prepared, *, starts: bool, as_json: bool) -> int:
    """Run the prepared workflow to its end and show it; return the exit code.

    Args:
        settings: As `carry_out`.
        guest: As `carry_out`.
        prepared: What to run.
        starts: As `carry_out`.
        as_json: Print the document of `runs show` and nothing else.

    Raises:
        SetUpFailed: The set-up does not start.
        KeyboardInterrupt: Ctrl-C was pressed twice.
    """
    performed = carry_out(settings, guest, prepared, starts=starts, silent=as_json)
    if as_json:
        print_json(performed.document)
    else:
        print_summary(performed.document)
    return _code(performed)


def carry_out(
    settings: Settings, guest: Guest, prepared: Prepared, *, starts: bool, silent: bool = False
) -> Performed:
    """Run the prepared workflow to its end, and show how it goes on.

    Args:
        settings: The settings; the set-up's addresses come from the guest.
        guest: In the set-up that runs it.
        prepared: What to run.
        starts: Whether the set-up is started for this run: whatever is unfinished there was left behind.
        silent: Show nothing.

    Raises:
        SetUpFailed: The set-up does not start.
        KeyboardInterrupt: Ctrl-C was pressed twice.
    """
    joined = guest.wait_for(lambda status: status.is_open).applied_to(settings)
    with open_backend(joined) as backend:
        private = settings.model_copy(update={"database_url": None})
        leftovers = find_leftovers(backend, private) if starts else []
        say_what_goes_on(leftovers)
        document, interrupted = submit_and_follow(backend, prepared, guest.step, silent=silent)
        say_what_is_left(backend, leftovers)
    return Performed(settings=joined, document=document, interrupted=interrupted)


def submit_and_follow(
    backend: Backend, prepared: Prepared, pause: Callable[[float], Any], *, silent: bool
) -> tuple[dict[str, Any], bool]:
    """Deploy and submit the prepared workflow; show it until it ends.

    Args:
        backend: The services.
        prepared: What to run.
        pause: Waits so many seconds at most, doing what else there is to do.
        silent: Show nothing.

    Returns:
        The last document, and whether Ctrl-C was pressed.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed twice, or before there was a run to stop.
    """
    definitions.deploy(backend, prepared.found, online=True, schedules=False, files=prepared.files)
    stored = find(backend, prepared.chosen.name, None)
    options = submission.SubmitOptions(start_nodes=prepared.start_nodes, dry_run=prepared.dry_run)
    with Interruptions() as interruptions:  # from here on there may be a run that somebody has to stop
        submitted = submission.submit(backend, stored, prepared.parameters, options)
        number = int(submitted["workflow_instance_id"])
        view = make_view(last_line_reader(backend.settings.logs, number), silent=silent)
        return follow(backend, number, view, _watch(backend, pause, number, interruptions))


def _watch(
    backend: Backend, pause: Callable[[float], Any], number: int, interruptions: Interruptions
) -> Watch:
    def on_interrupt() -> None:
        print_message("stopping the workflow; Ctrl-C again leaves at once")
        try:
            control.control(backend, CommandKind.STOP, [number])
        except Conflict:
            return  # it has ended by itself meanwhile

    return Watch(pause=pause, clock=time.monotonic, on_interrupt=on_interrupt, interruptions=interruptions)


def _code(performed: Performed) -> int:
    if performed.interrupted:
        return INTERRUPTED
    return 0 if runs.has_succeeded(performed.document) else NOT_SUCCESSFUL
