"""`python -m services.transcribe`: runs until SIGTERM or SIGINT."""

import sys

import uvloop
from pydantic import ValidationError

from services.transcribe import service
from services.transcribe.settings import Settings
from telemetry import log, misconfiguration


def main() -> int:
    """Reads the environment and serves; exit code 2 when a setting is not valid."""
    try:
        settings = Settings()  # pyright: ignore[reportCallIssue]  # from the environment
    except ValidationError as invalid:
        return misconfiguration.report("transcribe", invalid)
    log.configure("transcribe", settings.log_level)
    uvloop.run(service.run(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
