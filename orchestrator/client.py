"""Owns what `@workflow` objects do by themselves: `submit` to a running master, and `run` to the end, here."""

import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from orchestrator.cli.live import print_summary
from orchestrator.cli.output import print_message
from orchestrator.cli.performing import Performed, carry_out
from orchestrator.cli.running import LEAVE_PATIENCE_S, Prepared, what_is_started
from orchestrator.config import Settings, load_settings
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.embedded.guest import Guest
from orchestrator.embedded.home import Home, with_running
from orchestrator.embedded.launch import warm_up
from orchestrator.errors import OrchestratorError, UserError
from orchestrator.service import definitions, files, runs, submission
from orchestrator.service.alert_targets import refuse_unknown_targets
from orchestrator.service.attendance import why_nothing_happens
from orchestrator.service.backend import Backend
from orchestrator.service.finding import find
from orchestrator.service.parameters import parameters_from_values
from orchestrator.service.signs import check_services

CALL_OF_THE_USER = 3
"""Frames from a warning back to `nightly.submit(…)` in the user's code."""


class Handle:
    """A submitted run. It reads the database when it is asked; it keeps no connection open.

    Args:
        settings: Where the run is.
        id: The run's id.
        workflow: Name of its workflow.
    """

    def __init__(self, settings: Settings, id: int, workflow: str) -> None:  # noqa: A002 - the public name
        self._settings = settings
        self.id = id
        self.workflow = workflow

    def __repr__(self) -> str:
        """Say which run this is and how far it is; nobody's debugger shall fail because the database is away."""
        try:
            state = self.state
        except OrchestratorError as error:
            state = f"unknown: {error}"
        return f"<Handle id={self.id} workflow={self.workflow!r} state={state!r}>"

    @property
    def state(self) -> str:
        """The run's state now."""
        return str(self.show()["state"])

    @property
    def outputs(self) -> dict[str, Any]:
        """The run's outputs so far."""
        return dict(self.show()["outputs"])

    def show(self) -> dict[str, Any]:
        """Return the document of `orchestrator runs show`."""
        with _backend(self._settings) as backend:
            return runs.show(backend, self.id)

    def wait(self, timeout_s: float | None = None) -> str:
        """Wait until the run has ended, at most `timeout_s` seconds; return its state."""
        with _backend(self._settings) as backend:
            return str(runs.wait(backend, [self.id], timeout_s, _clockwork())[0]["state"])


def submit(
    found: Sequence[WorkflowDefinition], params: Mapping[str, Any], idempotency_key: str | None = None
) -> Handle:
    """Deploy the definitions, submit a run of the first, and return at once.

    Without a living master it warns (`RuntimeWarning`), as the command line does: the run waits for one.

    Args:
        found: Checked definitions: what is to run, and behind it what that calls.
        params: Start parameters by name.
        idempotency_key: Under one that was used before, the run that is there is returned.

    Raises:
        UserError: The definition, a parameter or the key cannot be used.
        Conflict: The key was used for another request.
    """
    if not isinstance(idempotency_key, str | None):
        raise UserError(f"an idempotency key is a text, not {idempotency_key!r}")
    settings = with_running(load_settings())
    with _backend(settings) as backend:
        handle = _submit(backend, settings, found, params, idempotency_key)
        reason = why_nothing_happens(backend)
    if reason is not None:
        warnings.warn(f"run {handle.id}: {reason}", RuntimeWarning, stacklevel=CALL_OF_THE_USER)
    return handle


def run(found: Sequence[WorkflowDefinition], params: Mapping[str, Any]) -> Handle:
    """Run the first definition to its end, here, starting what is missing; show it as `orchestrator run` does.

    Args:
        found: As `submit`.
        params: Start parameters by name.

    Returns:
        The ended run.

    Raises:
        UserError: The definition or a parameter cannot be used, or the set-up cannot be started.
        BrokerUnavailable: The settings name a Redis that does not answer.
        KeyboardInterrupt: Ctrl-C was pressed: once, and the run was stopped; or twice.
    """
    settings = with_running(load_settings())
    refuse_unknown_targets(found)
    values = parameters_from_values(found[0], params)
    prepared = Prepared(found=list(found), chosen=found[0], parameters=values)
    check_services(settings)  # nothing of the set-up could work without them
    Home(path=settings.home).prepare()
    performed = _perform(settings, prepared)
    if performed.interrupted:
        raise KeyboardInterrupt
    return Handle(performed.settings, performed.document["id"], found[0].name)


def _perform(settings: Settings, prepared: Prepared) -> Performed:
    warm = warm_up(Home(path=settings.home))
    if warm is not None:
        print_message(what_is_started(settings))
    guest = Guest(Home(path=settings.home), files.wish_for(settings, prepared.found), warm)
    try:
        performed = carry_out(settings, guest, prepared, starts=warm is not None)
        print_summary(performed.document)
    finally:
        guest.leave(LEAVE_PATIENCE_S)
    return performed


def _submit(
    backend: Backend,
    settings: Settings,
    found: Sequence[WorkflowDefinition],
    params: Mapping[str, Any],
    idempotency_key: str | None,
) -> Handle:
    definition = found[0]
    definitions.deploy(backend, found, online=True)
    stored = find(backend, definition.name, None)
    values = parameters_from_values(definition, params)
    submitted = submission.submit(
        backend, stored, values, submission.SubmitOptions(idempotency_key=idempotency_key)
    )
    return Handle(settings, submitted["workflow_instance_id"], definition.name)


@contextmanager
def _backend(settings: Settings) -> Iterator[Backend]:
    backend = Backend(settings)
    try:
        yield backend
    finally:
        backend.close()


def _clockwork() -> runs.Clockwork:
    return runs.Clockwork(clock=time.monotonic, pause=threading.Event().wait)
