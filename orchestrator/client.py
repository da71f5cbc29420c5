"""Owns what `@workflow` objects do by themselves: `submit` to a running master, and `run` to the end, here."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from orchestrator.config import Settings, load_settings
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.embedded.guest import Guest
from orchestrator.embedded.home import Home, with_running
from orchestrator.service import definitions, files, runs, submission
from orchestrator.service.backend import Backend
from orchestrator.service.parameters import parameters_from_values

LEAVE_PATIENCE_S = 20.0


class Handle:
    """A submitted run. It reads the database when it is asked; it keeps no connection open.

    Args:
        settings: Where the run is.
        id: The run's id.
    """

    def __init__(self, settings: Settings, id: int) -> None:  # noqa: A002 - the public name
        self._settings = settings
        self.id = id

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


def submit(definition: WorkflowDefinition, params: Mapping[str, Any]) -> Handle:
    """Deploy the definition, submit a run of it, and return at once.

    Args:
        definition: A checked definition.
        params: Start parameters by name.

    Raises:
        UserError: The definition or a parameter cannot be used.
    """
    settings = with_running(load_settings())
    with _backend(settings) as backend:
        return _submit(backend, settings, definition, params)


def run(definition: WorkflowDefinition, params: Mapping[str, Any]) -> Handle:
    """Run the definition to its end, here, starting what is not running; return the ended run.

    Args:
        definition: A checked definition.
        params: Start parameters by name.

    Raises:
        UserError: The definition or a parameter cannot be used, or the set-up cannot be started.
    """
    settings = with_running(load_settings())
    files.refuse_unsupported([definition])
    parameters_from_values(definition, params)
    guest = Guest(Home(path=settings.home), files.wish_for(settings, [definition]))
    try:
        joined = guest.wait_for(lambda status: status.is_open).applied_to(settings)
        with _backend(joined) as backend:
            handle = _submit(backend, joined, definition, params)
            clockwork = runs.Clockwork(clock=time.monotonic, pause=guest.step)
            runs.wait(backend, [handle.id], None, clockwork)
    finally:
        guest.leave(LEAVE_PATIENCE_S)
    return handle


def _submit(
    backend: Backend, settings: Settings, definition: WorkflowDefinition, params: Mapping[str, Any]
) -> Handle:
    definitions.deploy(backend, [definition], online=True)
    stored = definitions.find(backend, definition.name, None)
    values = parameters_from_values(definition, params)
    submitted = submission.submit(backend, stored, values, submission.SubmitOptions())
    return Handle(settings, submitted["workflow_instance_id"])


@contextmanager
def _backend(settings: Settings) -> Iterator[Backend]:
    backend = Backend(settings)
    try:
        yield backend
    finally:
        backend.close()


def _clockwork() -> runs.Clockwork:
    return runs.Clockwork(clock=time.monotonic, pause=threading.Event().wait)
