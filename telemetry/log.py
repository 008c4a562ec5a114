"""structlog for a process: one JSON object per line on stdout, redacted by the allow-list."""

import logging
import sys
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from telemetry.redaction import describe, redact


def configure(service: str, level: str = "INFO") -> None:
    """After this every `logger()` of the process writes JSON lines that name `service`.

    Libraries' own loggers are silenced below WARNING, and then show their logger's name alone: their messages
    quote URLs.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _add_service(service),
            _exception_without_message,
            _redacted,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _Stdout())),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_LibraryHandler()], level=logging.WARNING, force=True)


def logger(**bound: object) -> FilteringBoundLogger:
    """A logger with keys bound once, e.g. `logger(session_id=…, contact_id=…)`."""
    return structlog.get_logger(**bound)


def _add_service(service: str) -> Processor:
    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return add


def _exception_without_message(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        event["exception"] = describe(error)
    return event


def _redacted(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return redact(event)


class _Stdout:
    """Whatever stdout is at the time of writing: it may be replaced and closed while loggers live."""

    def write(self, text: str) -> None:
        sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


class _LibraryHandler(logging.Handler):
    """A library's warning, without its text."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        logger().warning("library.warning", kind=record.name, reason=record.levelname, exc_info=error)
