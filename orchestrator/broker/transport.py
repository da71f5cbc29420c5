"""Owns the check that Celery can speak to a broker at all, before anything is stored that needs it."""

from collections.abc import Sequence
from importlib import metadata

from kombu import Connection
from kombu.transport import TRANSPORT_ALIASES

from orchestrator.errors import SettingsError
from orchestrator.setting_faults import guess, mask, several_urls

VARIABLE = "ORCHESTRATOR_BROKER_URL"
EXTRAS = {"kafka": "confluentkafka"}
"""kombu's extras have the names of its transports; here are those that have not."""


def check_transport(broker_url: str | Sequence[str]) -> None:
    """Return if there is a transport for every URL in `broker_url`, with its library; nothing is connected.

    Args:
        broker_url: One URL, or several as Celery takes them: with semicolons between them, or as a list.

    Raises:
        SettingsError: There is none, or its library is missing; the message names the package to install.
    """
    for url in several_urls(broker_url if isinstance(broker_url, str) else ";".join(broker_url)):
        name = url.partition("://")[0].partition("+")[0]
        if name not in TRANSPORT_ALIASES:
            known = sorted(name for name in TRANSPORT_ALIASES if name.islower())
            raise SettingsError(
                f"{VARIABLE}: '{mask(url)}' is of no kind that Celery knows{guess(name, known)};"
                f" known are {', '.join(known)}"
            )
        _check_library(url, name)


def _check_library(url: str, name: str) -> None:
    try:
        _ = Connection(url).transport
    except Exception as error:  # noqa: BLE001 - each transport says in its own way what it misses
        raise SettingsError(
            f"{VARIABLE}: '{mask(url)}' needs a library that is not installed ({error}); {_remedy(name)}"
        ) from None


def _remedy(name: str) -> str:
    extra = EXTRAS.get(name, name).lower()
    known = metadata.metadata("kombu").get_all("Provides-Extra") or []
    return f"pip install 'kombu[{extra}]'" if extra in known else "install it, or name another broker"
