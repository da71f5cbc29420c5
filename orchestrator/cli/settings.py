"""Owns what every command begins with: the settings, and how log lines look."""

from orchestrator.config import Settings, load_settings
from orchestrator.embedded.home import with_running
from orchestrator.logging import configure


def open_settings() -> Settings:
    """Return the checked settings, with the addresses of the home's running set-up.

    Raises:
        SettingsError: One or more settings are wrong.
    """
    settings = with_running(load_settings())
    configure(settings.log_level, settings.log_format)
    return settings
