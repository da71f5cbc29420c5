"""Owns how log lines look: constant event names with fields, on standard error, for people or for programs."""

import logging
import sys
from typing import TextIO, cast

import structlog


class _StandardError:
    """What is standard error when a line is written: loggers are kept, and may outlive the stream of before."""

    def write(self, text: str) -> int:
        """Write to it."""
        return sys.stderr.write(text)

    def flush(self) -> None:
        """Let what was written be seen."""
        sys.stderr.flush()


def configure(level: str, form: str) -> None:
    """Send structlog's lines of at least `level` to standard error.

    Args:
        level: DEBUG, INFO, WARNING or ERROR.
        form: `console` for people, `json` for programs: one object a line.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *_renderers(form),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _StandardError())),
        cache_logger_on_first_use=True,
    )


def _renderers(form: str) -> list[structlog.typing.Processor]:
    """Return what makes text of a line; of an error the places alone: variables may hold secrets and outputs."""
    if form == "json":
        places = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        return [
            structlog.processors.ExceptionRenderer(places),
            structlog.processors.JSONRenderer(default=str),
        ]
    return [
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    ]
